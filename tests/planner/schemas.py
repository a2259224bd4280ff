"""Three tables as the planner sees them: orders, people, and sensors with odd names."""

from typing import Any

from agents.planner.schema import Schema


def column(
    name: str, kind: str, distinct: int = 50, values: list[Any] | None = None, **rest: Any
) -> dict[str, Any]:
    return {"name": name, "kind": kind, "distinct": distinct, "values": values or [], **rest}


def schema(name: str, rows: int, columns: list[dict[str, Any]]) -> Schema:
    card = {
        "current": name,
        "datasets": [{"name": name, "file": f"{name}.csv", "rows": rows, "columns": columns}],
    }
    made = Schema.from_card(card)
    assert made is not None
    return made


ORDERS = schema(
    "orders",
    6000,
    [
        column("order_id", "integer", 6000),
        column("order_date", "date", 910, min="2024-01-01", max="2026-06-30"),
        column("region", "text", 4, ["South", "East", "West", "North"]),
        column("city", "text", 12, ["Berlin", "Munich", "Hamburg", "Cologne", "Bremen"]),
        column("channel", "text", 3, ["Web", "Shop", "Phone"]),
        column("customer_type", "text", 2, ["Returning", "New"]),
        column("category", "text", 4, ["Coffee", "Accessories", "Machines", "Care"]),
        column("product", "text", 11, ["House blend 1 kg", "Espresso machine", "Cup set", "Tamper"]),
        column("quantity", "integer", 21),
        column("unit_price", "number", 2462),
        column("discount", "number", 5),
        column("revenue", "number", 4581),
        column("rating", "integer", 5),
        column("returned", "boolean", 2, [False, True]),
    ],
)
PEOPLE = schema(
    "employees",
    400,
    [
        column("employee_id", "integer", 400),
        column("full_name", "text", 398),
        column("Department", "text", 5, ["Sales", "Engineering", "HR", "Finance", "Support"]),
        column("Job Title", "text", 14, ["Manager", "Engineer", "Analyst", "Clerk"]),
        column("Salary", "number", 350),
        column("hire_date", "date", 300, min="2010-01-04", max="2025-11-20"),
        column("Age", "integer", 40),
        column("Gender", "text", 2, ["Female", "Male"]),
        column("Performance Score", "number", 41),
        column("remote", "boolean", 2, [False, True]),
        column("Office", "text", 3, ["New York", "London", "Paris"]),
    ],
)
SENSORS = schema(
    "readings",
    100_000,
    [
        column("Timestamp", "datetime", 90_000, min="2025-01-01 00:00:00", max="2025-03-31 23:59:00"),
        column("sensorId", "text", 12, ["A-1", "A-2", "B-1"]),
        column("site", "text", 3, ["North Hall", "Yard", "Roof"]),
        column("temp_C", "number", 900),
        column("Humidity %", "number", 700),
        column("batteryVoltage", "number", 120),
        column("status", "text", 3, ["ok", "warning", "failed"]),
    ],
)
