"""Forms of cleaning steps: a pattern of words each, and what makes the step's arguments of it."""

import re

from agents.planner import cleaning_steps as make
from agents.planner.cleaning_steps import Make

ROWS = r"(?:rows?|records?|entries|lines|orders?|observations?|cases|items|data)"
REMOVE = r"(?:remove|drop|delete|eliminate|get rid of|throw (?:away|out)|discard)"
GAPS = r"(?:missing|empty|null|blank|nan)"
THE = r"(?: the)?(?: columns?)?"
TEXT = "(?:[\"'\u201c\u2018].+?[\"'\u201d\u2019]|\\S+)"
NEW = r"(?:add|create|make|compute|calculate|define|derive)(?: a| an| the)?(?: new)?"
UNIT = r"(?P<part>year|quarter|month|week|day of the week|day of week|weekday|day|hour)"
WITHIN = r"(?: (?:per|within|for each|of each|of its|of the) (?P<group>.+?))?"
ORDER = r"(?: (?:in the order of|ordered by|in order of|along) (?P<order>.+?))?"
KEEPING = r"(?:,? keep(?:ing)? (?P<by>.+?))?"
AGGREGATE = r"(?P<aggregate>sum|total|mean|average|median|count|number|min|max)"
TYPE = (
    r"(?:date and time|date time|datetimes?|timestamps?|dates?|days?|numbers?|numeric|decimals?|floats?"
    r"|integers?"
    r"|ints?|whole numbers?|texts?|strings?|booleans?|bools?|yes/no|yes or no|true/false)"
)
LIST = r"(?:\s*,\s*(?:and\s+)?|\s+and\s+)"


def _form(maker: Make, *parts: str) -> tuple[re.Pattern[str], Make]:
    return re.compile("".join(parts), re.IGNORECASE | re.DOTALL), maker


FORMS: list[tuple[re.Pattern[str], Make]] = [
    _form(
        make.duplicates,
        rf"(?:{REMOVE}(?: all)?(?: the)? (?:exact )?(?:duplicates?|duplicated|double)(?: {ROWS})?",
        rf"|de-?duplicate(?: the {ROWS})?)",
        r"(?:,? (?:by|on|based on|in|of|for|with the same|per) (?:the )?(?P<columns>.+?))??",
        r"(?:,? (?:and )?keep(?:ing)?(?: only)?(?: the)? (?P<keep>first|last|latest|newest|earliest|oldest"
        r"|none)",
        r"(?: (?:one|row|of them|occurrence))?)?",
    ),
    _form(
        make.filled,
        rf"(?:fill|replace|impute|substitute)(?: in)?(?: the| all)? {GAPS}(?: values?| cells?| entries)?",
        r"(?: (?:in|of|for|from) (?P<columns>.+?))? (?:with|by|using)(?: the| its)? (?P<what>.+?)",
        WITHIN,
        ORDER,
    ),
    _form(
        make.filled,
        rf"(?:fill|impute)(?: in)? (?:{GAPS} )?(?P<columns>.+?)(?: {GAPS} values)?",
        r" (?:with|by|using)(?: the| its)? (?P<what>.+?)",
        WITHIN,
        ORDER,
    ),
    _form(
        make.filled_along,
        r"(?P<way>forward|backward|f|b)[ -]?fill (?P<columns>.+?)",
        r"(?: (?:by|in the order of|ordered by|along) (?P<order>.+?))?",
    ),
    _form(
        make.without_gaps,
        rf"{REMOVE}(?: all| the| any)* {ROWS} (?:",
        rf"(?:where|in which|whose|if|when) (?P<a>.+?) (?:is|are|has) {GAPS}(?: values?)?",
        rf"|(?:with|that have|having|containing)(?: any| a| some)? {GAPS}(?: values?| cells?| data)?",
        r"(?: (?:in|of|for))?(?: (?P<b>.+?))?",
        r"|(?:without|with no|that have no|lacking)(?: a| an| any)? (?P<c>.+?))",
    ),
    _form(
        make.filtered,
        rf"(?P<verb>keep(?: only)?|leave only|restrict(?: it)? to)(?: the)? {ROWS}",
        r" (?:where|with|in which|whose|that|for which|from|in) (?P<where>.+)",
    ),
    _form(
        make.filtered,
        rf"(?P<verb>{REMOVE}|filter out)(?: all| the| any)* {ROWS}",
        r" (?:where|with|in which|whose|for which|from) (?P<where>.+)",
    ),
    _form(
        make.typed,
        rf"(?:convert|change|turn|cast|parse|read|make|set)(?: the type of)?{THE} (?P<columns>.+?)",
        rf" (?:in ?to|to|as|a|an)(?: a| an)?(?: type)? (?P<to>{TYPE})",
        r"(?:,? (?:using|with|as|in|of)?(?: the)? ?(?:format|written as|form|decimal) (?P<format>\S.*?))?",
        r"(?P<rest>,? (?:and |but )?(?:make|set|treat|leave|let|turn|what|the rest|with the rest)",
        rf".*(?:{GAPS}|gaps?))?",
    ),
    _form(
        make.without_outliers,
        r"(?P<verb>remove|drop|delete|clip|cap|winsori[sz]e|limit|mark|flag|tag|label)(?: all)?(?: the)?",
        r" (?:outliers?|extreme values?|anomal(?:y|ies))(?: rows)?(?: (?:of|in|from|for) (?P<columns>.+?))??",
        r"(?: (?:using|by|with|via)(?: the)?",
        r" (?P<method>iqr|quartiles?|z-?scores?|z score|standard deviations?)(?: method| rule)?)?",
    ),
    _form(make.renamed, rf"rename{THE} (?P<pairs>.+)"),
    _form(make.columns_step("drop_columns"), rf"{REMOVE}(?: the)? (?:columns?|fields?) (?P<columns>.+)"),
    _form(make.columns_step("drop_columns"), rf"{REMOVE}(?: the)? (?P<columns>.+?) (?:columns?|fields?)"),
    _form(make.columns_step("keep_columns"), r"keep only(?: the)? (?:columns?|fields?) (?P<columns>.+)"),
    _form(make.columns_step("keep_columns"), r"keep only(?: the)? (?P<columns>.+?) columns?"),
    _form(
        make.replaced,
        rf"(?:replace|change)(?: all| the value| values?)? (?P<old>{TEXT}) (?:with|by|to|into)"
        rf" (?P<new>{TEXT})",
        rf" in{THE} (?P<columns>.+)",
    ),
    _form(
        make.replaced,
        rf"in{THE} (?P<columns>.+?),? (?:replace|change) (?P<old>{TEXT}) (?:with|by|to|into) (?P<new>.+)",
    ),
    _form(
        make.tidied,
        r"(?=.*(?:trim|strip|space))(?:trim|strip|remove|delete|collapse|squeeze)",
        r"(?: (?:the|all|any|leading|trailing|extra|double|repeated|multiple|surrounding|and|white))*",
        rf"(?: ?(?:white)?spaces?)?(?: (?:in|of|from|around|inside))?{THE} (?P<columns>.+)",
    ),
    _form(
        make.tidied,
        rf"(?:make|convert|change|put|set|turn){THE} (?P<columns>.+?) (?:to |in ?to |in )?(?:all )?",
        r"(?:lower|upper|title)[ -]?(?:case|letters)?",
    ),
    _form(
        make.tidied,
        rf"(?:(?:lower|upper|title)[ -]?case|capitali[sz]e){THE} (?P<columns>.+)",
    ),
    _form(
        make.date_part,
        rf"{NEW}(?: column| field)?(?: (?:called|named|with))?(?: the)? {UNIT} (?:of|from) (?P<columns>.+?)",
        r"(?: (?:as|called|named) (?P<name>.+))?",
    ),
    _form(
        make.date_part,
        rf"extract(?: the)? {UNIT} (?:of|from) (?P<columns>.+?)(?: (?:as|into|called|named) (?P<name>.+))?",
    ),
    _form(
        make.derived,
        rf"{NEW} (?:column|field|variable)(?: called| named)? (?P<name>.+?)",
        r"\s*(?:=|:| as | which is | that is | equal to | computed as | from )\s*(?P<formula>.+)",
    ),
    _form(make.derived, r"(?:add|create|define|derive|compute) (?P<name>\w+(?: \w+)?)\s*=\s*(?P<formula>.+)"),
    _form(
        make.split,
        rf"split{THE} (?P<columns>.+?) (?:at|by|on|with)(?: the| a| each| every)?",
        r" (?P<separator>\"[^\"]+\"|'[^']+'|at sign|\S+?)(?: (?:in ?to|as)(?: the columns)? (?P<names>.+))?",
    ),
    _form(
        make.cut,
        rf"(?:bin|bucket|cut|discreti[sz]e|bucketi[sz]e|group){THE} (?P<columns>.+?) (?:in ?to",
        r" (?:(?P<bins>\d+|\w+) (?:equal |equally wide )?(?:ranges|bins|buckets|groups|classes|parts)(?:"
        r" .*)?",
        r"|(?P<quantiles>quartiles|quintiles|deciles|terciles|halves))",
        rf"|at (?P<edges>-?[\d.]+(?:{LIST}-?[\d.]+)+))",
    ),
    _form(
        make.scaled,
        rf"(?P<verb>scale|normali[sz]e|standardi[sz]e|rescale){THE} (?P<columns>.+?)",
        r"(?: (?:to|with|using|between|by)(?: the)?",
        r" (?:0 (?:to|and) 1|min-?max|(?P<standard>z-?scores?|mean 0.*|standard.*)))?",
    ),
    _form(
        make.columns_step("one_hot"),
        r"(?:one[ -]hot(?:[ -]encode)?|encode|(?:make|create) dummies (?:of|for|from)|dummy[ -]encode)",
        rf"{THE} (?P<columns>.+)",
    ),
    _form(
        make.unpivoted,
        rf"(?:unpivot|melt){THE} (?P<columns>.+?){KEEPING}",
        rf"(?: (?:in ?to|as) (?P<names>\w+{LIST}\w+))?(?:,? keep(?:ing)? (?P<by2>.+?))?",
    ),
    _form(
        make.unpivoted,
        rf"turn(?: the)? columns (?P<columns>.+?) in ?to rows{KEEPING}(?P<names>)(?P<by2>)",
    ),
    _form(
        make.pivoted,
        r"(?:pivot|spread)(?: the)?(?: values of)? (?P<columns>.+?) in ?to columns (?:with|of|holding)(?:"
        r" the)?",
        rf"(?: {AGGREGATE}(?: of)?)?(?: (?P<value>.+?))? (?:by|per|for each) (?P<by>.+)",
    ),
    _form(
        make.first_rows,
        r"keep(?: only)?(?: the)? (?P<which>top|first|last|highest|lowest|largest|smallest|bottom|latest"
        r"|newest",
        rf"|oldest|biggest) (?P<count>[\d,]+) {ROWS} (?:by|in order of|ordered by|sorted by) (?P<columns>.+)",
    ),
    _form(
        make.sampled,
        r"(?=.*(?:sample|random|chance))(?:take|keep|draw|make)(?: only)?(?: a| an)?(?: random)?",
        r" (?:(?:sample (?:of|with) )?(?:(?P<share>\d+(?:\.\d+)?) ?(?:%|percent)|(?P<count>[\d,]+))",
        rf"(?: random)?(?: sample)?(?: of)?(?: the)?(?: {ROWS})?)(?: (?:at random|by chance|randomly))?",
    ),
    _form(
        make.appended,
        r"(?:append|add|stack|union)(?: the rows of)? (?P<other>.+?)",
        r" (?:to|below|under|beneath|onto) (?P<below>.+)",
    ),
]
