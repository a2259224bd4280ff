"""Three tables as a data card tells of them: sales, people, and sensors with odd column names."""

import json
from typing import Any

INTRODUCTION = "The data of this conversation. Everything between the marks was taken from files."


def column(name: str, kind: str, distinct: int, **rest: Any) -> dict[str, Any]:
    """One column of a card; `values`, `missing`, `min` and `max` where the card would have them."""
    return {"name": name, "kind": kind, "distinct": distinct, **rest}


ORDERS = {
    "name": "orders",
    "file": "orders.csv",
    "rows": 5000,
    "columns": [
        column("order_id", "integer", 5000, min=1, max=5000),
        column("order_date", "date", 900, min="2022-01-03", max="2024-06-28"),
        column("region", "text", 4, values=["North", "South", "East", "West"]),
        column("city", "text", 45),
        column(
            "product", "text", 6,
            values=["Laptop", "Phone", "Tablet", "Monitor", "Headphones", "Desk lamp"],
        ),
        column("category", "text", 3, values=["Electronics", "Furniture", "Office Supplies"]),
        column("status", "text", 3, values=["completed", "cancelled", "returned"]),
        column("customer_gender", "text", 2, values=["female", "male"]),
        column("sales_amount", "number", 4200, min=3.5, max=9800.0),
        column("quantity", "integer", 30, min=1, max=30),
        column("unit_price", "number", 600, min=1.2, max=2400.0),
        column("discount", "number", 11, missing=120, min=0.0, max=0.5),
        column("is_gift", "boolean", 2),
    ],
}  # fmt: skip
CUSTOMERS = {
    "name": "customers",
    "file": "customers.csv",
    "rows": 800,
    "columns": [
        column("customer_id", "integer", 800, min=1, max=800),
        column("country", "text", 5, values=["Germany", "France", "Spain", "Italy", "Poland"]),
        column("age", "integer", 60, min=18, max=90),
        column("segment", "text", 3, values=["Consumer", "Corporate", "Home Office"]),
        column("signup_date", "date", 700, min="2019-01-01", max="2024-05-30"),
    ],
}
STAFF = {
    "name": "staff",
    "file": "staff.csv",
    "rows": 1470,
    "columns": [
        column("EmployeeID", "integer", 1470, min=1, max=1470),
        column("FullName", "text", 1470),
        column(
            "Department", "text", 4, values=["Engineering", "Sales", "Human Resources", "Finance"]
        ),
        column(
            "JobTitle", "text", 5,
            values=["Engineer", "Sales Executive", "Manager", "Accountant", "Recruiter"],
        ),
        column("AnnualSalary", "number", 1100, min=21000.0, max=245000.0),
        column("BonusPct", "number", 40, min=0.0, max=30.0),
        column("Age", "integer", 45, min=19, max=66),
        column("Gender", "text", 2, values=["Male", "Female"]),
        column("HireDate", "date", 1000, min="2010-02-01", max="2023-11-30"),
        column("YearsAtCompany", "number", 140, min=0.1, max=13.8),
        column("OfficeLocation", "text", 4, values=["London", "Paris", "New York", "Remote"]),
        column("PerformanceScore", "integer", 5, min=1, max=5),
        column("FullTime", "boolean", 2),
    ],
}  # fmt: skip
READINGS = {
    "name": "readings",
    "file": "readings 2023.csv",
    "rows": 87600,
    "columns": [
        column("ts", "datetime", 52560, min="2023-01-01T00:00:00", max="2023-12-31T23:50:00"),
        column("Temp (°C)", "number", 600, min=-12.4, max=38.9),
        column("rel. humidity [%]", "number", 900, missing=312, min=11.0, max=99.8),
        column("PM2.5", "number", 2000, min=0.1, max=180.5),
        column("CO2_ppm", "number", 1500, min=380.0, max=2450.0),
        column("sensor-id", "text", 4, values=["S-01", "S-02", "S-03", "S-04"]),
        column("Site Name", "text", 3, values=["Roof North", "Basement", "Lab 2"]),
        column("alarm", "boolean", 2),
        column("battV", "number", 120, min=2.7, max=4.2),
    ],
}
CARDS: dict[str, list[dict[str, Any]]] = {
    "sales": [CUSTOMERS, ORDERS],
    "people": [STAFF],
    "sensors": [READINGS],
}
"""By test name; the last dataset is the current one."""


def card_text(name: str) -> str:
    """The block as it stands in a request."""
    datasets = CARDS[name]
    body = json.dumps({"current": datasets[-1]["name"], "datasets": datasets}, ensure_ascii=False)
    return f"{INTRODUCTION}\n<data_card>{body.replace('<', chr(92) + 'u003c')}</data_card>"


FLIGHTS = {
    "name": "flights_2023",
    "file": "flights 2023.csv",
    "rows": 61000,
    "columns": [
        column("FlightDate", "date", 365, min="2023-01-01", max="2023-12-31"),
        column("Airline", "text", 5, values=["Lufthansa", "Ryanair", "KLM", "Air France", "Iberia"]),
        column("origin_airport", "text", 3, values=["FRA", "AMS", "MAD"]),
        column("dest_airport", "text", 96),
        column("dep_delay_min", "number", 400, missing=910, min=-22.0, max=512.0),
        column("arr_delay_min", "number", 420, missing=1100, min=-41.0, max=530.0),
        column("distance_km", "integer", 300, min=180, max=9800),
        column("passengers", "integer", 380, min=12, max=410),
        column("Cancelled", "boolean", 2),
    ],
}
CARDS["flights"] = [FLIGHTS]
PATIENTS = {
    "name": "visits",
    "file": "clinic-visits.csv",
    "rows": 7300,
    "columns": [
        column("VisitID", "integer", 7300, min=1, max=7300),
        column("visit_day", "date", 700, min="2021-09-01", max="2023-08-31"),
        column("clinic", "text", 4, values=["Harbour", "Old Town", "Westside", "Hill"]),
        column("doctor", "text", 38),
        column("diagnosis group", "text", 6,
               values=["Respiratory", "Cardiac", "Skin", "Injury", "Digestive", "Other"]),
        column("patientAge", "integer", 95, min=0, max=97),
        column("sex", "text", 2, values=["F", "M"]),
        column("wait_minutes", "number", 180, min=0.0, max=214.0),
        column("consult_minutes", "number", 75, min=2.0, max=95.0),
        column("cost_eur", "number", 3100, missing=44, min=8.0, max=4100.0),
        column("insured", "boolean", 2),
        column("follow_up_date", "date", 720, missing=2900, min="2021-09-05", max="2023-11-20"),
    ],
}  # fmt: skip
CARDS["clinic"] = [PATIENTS]
BOOKS = {
    "name": "library_loans",
    "file": "library loans.csv",
    "rows": 23000,
    "columns": [
        column("loan_no", "integer", 23000, min=1, max=23000),
        column("borrowed_on", "datetime", 21000, min="2020-03-01T09:00:00", max="2024-02-29T18:40:00"),
        column("Branch", "text", 5, values=["Central", "Riverside", "Park Lane", "Eastgate", "Mobile Van"]),
        column("Genre", "text", 6, values=["Fiction", "Crime", "History", "Children", "Science", "Travel"]),
        column("author_name", "text", 2100),
        column("days_out", "integer", 90, min=0, max=180),
        column("late_fee", "number", 240, missing=15000, min=0.2, max=44.0),
        column("reader_age", "integer", 88, min=4, max=95),
        column("renewals", "integer", 6, min=0, max=5),
        column("format", "text", 3, values=["Paperback", "Hardback", "Audiobook"]),
        column("returned_late", "boolean", 2),
    ],
}
CARDS["library"] = [BOOKS]
