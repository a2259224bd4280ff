"""The closed word lists of the planner. Words are stems: singular and lower case."""

AGGREGATES = {
    "sum": ["total", "sum", "overall", "combined", "altogether"],
    "mean": ["average", "mean", "avg"],
    "median": ["median"],
    "count": ["count", "number of", "how many", "amount of row", "frequency of", "headcount"],
    "min": ["minimum", "min", "lowest", "smallest", "least", "cheapest", "earliest", "shortest"],
    "max": ["maximum", "max", "highest", "largest", "biggest", "greatest", "latest", "longest"],
    "std": ["standard deviation", "std", "stdev", "deviation", "variability"],
    "distinct": ["distinct", "unique", "different", "number of distinct", "number of different"],
}
ROW_WORDS = {
    "row", "record", "entry", "order", "item", "observation", "line", "case", "transaction", "sale",
    "people", "person", "customer", "employee", "user", "reading", "measurement", "event",
}  # fmt: skip
CHARTS = {
    "bar": ["bar chart", "bar graph", "bar plot", "barchart", "column chart", "bar", "histogram of count"],
    "line": ["line chart", "line graph", "line plot", "linechart", "line", "curve"],
    "area": ["area chart", "area plot", "area graph"],
    "scatter": ["scatter plot", "scatterplot", "scatter chart", "scatter graph", "scatter", "xy plot"],
    "histogram": ["histogram", "hist"],
    "box": ["box plot", "boxplot", "box chart", "box and whisker", "box"],
    "heatmap": ["heatmap", "heat map"],
    "pie": ["pie chart", "pie graph", "piechart", "pie", "donut chart", "doughnut chart"],
}
DRAW = ["plot", "chart", "graph", "draw", "visualize", "visualise", "visualization", "picture", "diagram"]
MISSING = [
    "missing", "null", "nan", "empty value", "empty cell", "gap in the data", "incomplete", "blank", "gap",
    "empty", "have no",
    "has no", "with no", "lack",
]  # fmt: skip
OUTLIERS = [
    "outlier",
    "anomaly",
    "anomalie",
    "unusual",
    "extreme value",
    "extreme",
    "abnormal",
    "weird",
    "strange",
    "suspicious",
    "odd value",
]
CORRELATE = [
    "correlation", "correlate", "correlated", "relationship", "related", "relation between",
    "association", "depend on", "linked",
]  # fmt: skip
COMPARE = [
    "compare",
    "comparison",
    "difference between",
    "difference in",
    "difference of",
    "differ",
    "versus",
    "vs",
    "differs",
]
THAN = ["more than", "less than", "higher than", "lower than", "better than", "worse than"]
CROSSTAB = ["crosstab", "cross tab", "cross tabulation", "crosstabulation", "pivot", "contingency"]
DISTRIBUTION = [
    "distribution",
    "distributed",
    "spread of",
    "frequency",
    "value count",
    "breakdown of",
    "split of",
    "breakdown",
]
TREND = [
    "over time", "trend", "evolution", "develop", "development", "growth", "grow", "grew", "change in",
    "changed", "time series", "month over month", "year over year", "over the month", "over the year",
]  # fmt: skip
PROFILE = [
    "summary", "summarize", "summarise", "overview", "profile", "describe the data", "what is in",
    "about the data", "data quality", "column", "structure", "analyse this", "analyze this",
    "analyse the data", "analyze the data", "tell me about",
]  # fmt: skip
DESCRIBE = ["describe", "statistic", "stat", "detail", "summary of", "summarize", "summarise", "about"]
ROWS = [
    "show row", "list row", "show the row", "show me the row", "list", "which order", "show record",
    "show all", "first row", "example row", "sample row", "show me all", "display", "rows where", "row where",
    "filter", "find row", "find all", "find order", "show order",
]  # fmt: skip
SHARE = ["share", "percentage", "percent", "proportion", "ratio of"]
DECLINE = [
    "why", "should we", "should i", "predict", "forecast", "recommend", "cause", "reason for",
    "what will", "will", "next year", "next month", "next quarter", "next week",
    "explain why", "advice", "best strategy",
]  # fmt: skip
HELP = ["help", "what can you do", "what can i ask", "how do you work", "what do you do"]
GREETINGS = {"hi", "hello", "hey", "thanks", "thank", "hallo", "moin"}
FOLLOW = [
    "and", "what about", "how about", "now", "only", "just", "same", "instead", "as a", "as", "without",
    "also", "then", "make it", "sort", "but", "exclude", "for", "in", "top", "bottom", "by", "per", "split",
]  # fmt: skip
BY = ["grouped by", "group by", "for each", "in each", "for every", "broken down by", "split by", "by", "per",
      "each", "across", "within each"]  # fmt: skip
DESCENDING = [
    "top",
    "best",
    "highest",
    "most",
    "largest",
    "biggest",
    "greatest",
    "max",
    "maximum",
    "descending",
]
ASCENDING = ["bottom", "worst", "lowest", "fewest", "smallest", "least", "cheapest", "ascending", "minimum"]
INTERVALS = {
    "hour": ["hourly", "by hour", "per hour", "each hour", "every hour"],
    "weekday": ["weekday", "day of week", "day of the week", "by weekday", "per weekday"],
    "day": ["daily", "by day", "per day", "each day", "every day", "by date", "per date"],
    "week": ["weekly", "by week", "per week", "each week", "every week"],
    "month": ["monthly", "by month", "per month", "each month", "every month", "month over month"],
    "quarter": ["quarterly", "by quarter", "per quarter", "each quarter"],
    "year": ["yearly", "annual", "annually", "by year", "per year", "each year", "year over year"],
}
COMPARATORS = {
    "at_least": ["at least", "no less than", "minimum of", "or more", ">="],
    "at_most": ["at most", "no more than", "up to", "maximum of", "<="],
    "greater_than": [
        "greater than", "more than", "larger than", "higher than", "bigger than", "above", "over",
        "exceeding", "older than", "longer than", "taller than", "heavier than", "warmer than", ">",
    ],
    "less_than": [
        "less than", "smaller than", "lower than", "fewer than", "below", "under", "younger than",
        "cheaper than", "shorter than", "colder than", "<",
    ],
    "equals": ["equal to", "equals", "exactly", "="],
}  # fmt: skip
NEGATIONS = ["without", "not", "exclude", "excluding", "except", "other than", "no"]
SYNONYMS = {
    "revenue": ["sale", "turnover", "income", "earning"],
    "sale": ["revenue", "turnover"],
    "price": ["cost"],
    "cost": ["price", "expense"],
    "salary": ["pay", "wage", "earning", "income", "compensation"],
    "gender": ["sex"],
    "temperature": ["temp"],
    "temp": ["temperature"],
    "country": ["nation"],
    "date": ["day"],
    "rating": ["score", "review"],
    "score": ["rating"],
    "city": ["town"],
    "category": ["type", "kind"],
    "age": ["old"],
    "department": ["dept", "team", "division"],
    "location": ["loc", "place", "site"],
    "quantity": ["unit", "amount", "volume", "qty", "item", "piece"],
}
STOP = {
    "a", "an", "the", "of", "in", "on", "at", "is", "are", "was", "were", "be", "been", "do", "does",
    "did", "what", "which", "who", "whom", "how", "show", "me", "give", "tell", "please", "can",
    "could", "you", "i", "we", "us", "our", "my", "for", "to", "from", "with", "and", "or", "by", "per",
    "each", "it", "its", "this", "that", "these", "those", "there", "have", "has", "had", "than",
    "then", "as", "all", "any", "some", "much", "many", "most", "value", "number", "where", "when",
    "only", "just", "between", "across", "over", "under", "above", "below", "more", "less", "least",
    "top", "bottom", "data", "dataset", "table", "file", "column", "row", "chart", "plot", "graph",
    "draw", "list", "find", "get", "display", "compute", "calculate", "about", "into", "their", "her",
    "his", "if", "not", "no", "so", "but", "also", "now", "same", "instead", "out", "up", "down", "s",
    "t", "d",
}  # fmt: skip
# Words that say nothing about what to compute.
BENIGN = set(
    """work works working earn earns earned make makes sell sells sold buy bought get got place placed receive
    received come came happen happened occur occurred go went pay paid take took use used live
    living hire hired
    job kind type thing stuff number amount figure result answer question info information please thank thanks
    current currently actual actually exactly really simply today currently overall general typical typically
    usual company shop store business people person customer everyone anybody team altogether entire full
    really very quite still already yet here again back each other both either per cent
    unit using break broken too well""".split()  # noqa: SIM905
)
# A word in a question that stands for a value of a column.
VALUE_WORDS = {
    "woman": "female",
    "women": "female",
    "man": "male",
    "men": "male",
    "girl": "female",
    "boy": "male",
}
# A comparison that names its column.
KNOWN = {
    word
    for listed in (
        DRAW, MISSING, OUTLIERS, CORRELATE, COMPARE, CROSSTAB, DISTRIBUTION, TREND, PROFILE, DESCRIBE, ROWS,
        SHARE, DECLINE, HELP, FOLLOW, BY, DESCENDING, ASCENDING, NEGATIONS,
        *CHARTS.values(), *INTERVALS.values(), *AGGREGATES.values(), *COMPARATORS.values(),
    )
    for phrase in listed
    for word in phrase.split()
} | {
    "date", "first", "last", "group", "grouped", "true", "false", "yes", "make", "made", "spearman",
    "pearson",
    "z", "score", "zscore", "iqr", "whole", "every", "want", "need", "know", "see", "look", "like",
    "would", "will", "one", "two", "far", "long", "big", "high", "low", "sort", "sorted", "order", "ordered",
    "versus", "against", "matrix", "vs", "rest", "month", "year", "week", "day", "hour", "quarter",
    "weekday", "time",
}  # fmt: skip

NUMBER_WORDS = {
    word: number
    for number, word in enumerate(
        ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"], start=1
    )
} | {"twelve": 12, "fifteen": 15, "twenty": 20, "fifty": 50, "hundred": 100}
ADJECTIVES: dict[str, tuple[str, ...]] = {
    "older": ("age",), "oldest": ("age",), "younger": ("age",), "youngest": ("age",),
    "cheaper": ("price", "cost"), "cheapest": ("price", "cost"), "expensive": ("price", "cost"),
    "priciest": ("price", "cost"), "newest": ("date",), "latest": ("date",), "recent": ("date",),
    "earliest": ("date",), "longer": ("duration", "length", "distance"),
    "longest": ("duration", "length", "distance"),
    "shorter": ("duration", "length", "distance"), "shortest": ("duration", "length", "distance"),
    "heaviest": ("weight",), "heavier": ("weight",), "taller": ("height",),
    "lightest": ("weight",), "tallest": ("height",),
    "hottest": ("temperature", "temp"), "warmest": ("temperature", "temp"),
    "coldest": ("temperature", "temp"),
    "warmer": ("temperature", "temp"),
    "colder": ("temperature", "temp"), "paid": ("salary", "wage", "pay"),
}  # fmt: skip
"""What an adjective measures, as words of column names."""
ASCENDING_ADJECTIVES = {"youngest", "cheapest", "earliest", "shortest", "lightest", "coldest"}
SHORT_WORDS = {
    "age", "day", "sex", "pay", "tax", "job", "car", "old", "end", "net", "new", "max", "min", "per",
}  # fmt: skip
"""Three letters that are words of their own, so that "agent" is not read as a longer "age"."""
ALIASES = {
    "male": ("man", "men", "m"), "female": ("woman", "women", "f"),
    "m": ("man", "men", "male"), "f": ("woman", "women", "female"),
}  # fmt: skip
"""Other words for a value, used when the card lists that value."""
WEEKDAYS = {"monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday", "weekend"}
SORTED = {
    "ascending": ["sort ascending", "ascending", "smallest first", "lowest first"],
    "descending": ["sort descending", "descending", "largest first", "highest first", "biggest first"],
}
