"""Writes orders.csv, the sample that ships with the app: invented orders of an invented shop.

The data is made, not collected, so it carries nobody's licence and nobody's privacy. It is shaped
so that ordinary questions have visible answers: a yearly season, growth, a price effect, regions
that differ, missing ratings and a handful of outliers. Run it from anywhere; the seed is fixed.
"""

from pathlib import Path

import numpy as np
import pandas as pd

ROWS = 6_000
PRODUCTS = {
    "Espresso machine": ("Machines", 289.0),
    "Filter brewer": ("Machines", 129.0),
    "Burr grinder": ("Machines", 94.5),
    "House blend 1 kg": ("Coffee", 18.9),
    "Single origin 250 g": ("Coffee", 11.5),
    "Decaf 500 g": ("Coffee", 13.2),
    "Milk jug": ("Accessories", 16.0),
    "Tamper": ("Accessories", 24.0),
    "Cup set": ("Accessories", 32.0),
    "Descaler": ("Care", 9.9),
    "Brush set": ("Care", 12.5),
}
PRODUCT_WEIGHTS = [4, 6, 7, 22, 18, 9, 8, 6, 7, 8, 5]
CITIES = {
    "Berlin": "East",
    "Leipzig": "East",
    "Dresden": "East",
    "Hamburg": "North",
    "Bremen": "North",
    "Hanover": "North",
    "Munich": "South",
    "Stuttgart": "South",
    "Nuremberg": "South",
    "Cologne": "West",
    "Frankfurt": "West",
    "Dortmund": "West",
}
CITY_WEIGHTS = [17, 6, 5, 13, 4, 4, 15, 8, 5, 12, 8, 3]
FIRST_DAY = pd.Timestamp("2024-01-01")
DAYS = 912  # up to the end of June 2026


def make_orders() -> pd.DataFrame:
    """Returns 6,000 orders, one a row, ordered by day."""
    random = np.random.default_rng(20260701)
    day_number = np.arange(DAYS)
    season = 1 + 0.35 * np.cos(2 * np.pi * (day_number - 350) / 365.25)
    daily_weight = season * (1 + 0.4 * day_number / DAYS)
    days = np.sort(random.choice(day_number, ROWS, p=daily_weight / daily_weight.sum()))
    product = random.choice(list(PRODUCTS), ROWS, p=np.array(PRODUCT_WEIGHTS) / 100)
    city = random.choice(list(CITIES), ROWS, p=np.array(CITY_WEIGHTS) / 100)
    base_price = np.array([PRODUCTS[name][1] for name in product])
    discount = random.choice([0, 0, 0, 0.05, 0.1, 0.15, 0.2], ROWS)
    quantity = 1 + random.poisson(np.clip(2.2 - base_price / 150 + 4 * discount, 0.1, None))
    quantity[random.choice(ROWS, 9, replace=False)] = random.integers(60, 140, 9)
    unit_price = np.round(base_price * random.normal(1, 0.04, ROWS), 2)
    rating = np.clip(np.round(random.normal(4.1 + discount, 0.8, ROWS)), 1, 5)
    rating[random.random(ROWS) < 0.18] = np.nan
    orders = pd.DataFrame(
        {
            "order_id": np.arange(100_001, 100_001 + ROWS),
            "order_date": FIRST_DAY + pd.to_timedelta(days, unit="D"),
            "region": [CITIES[name] for name in city],
            "city": city,
            "channel": random.choice(["Web", "Shop", "Phone"], ROWS, p=[0.62, 0.3, 0.08]),
            "customer_type": random.choice(["New", "Returning"], ROWS, p=[0.38, 0.62]),
            "category": [PRODUCTS[name][0] for name in product],
            "product": product,
            "quantity": quantity,
            "unit_price": unit_price,
            "discount": discount,
            "revenue": np.round(quantity * unit_price * (1 - discount), 2),
            "rating": pd.array(rating, dtype="Int64"),
            "returned": random.random(ROWS) < 0.045,
        }
    )
    orders.loc[random.random(ROWS) < 0.02, "customer_type"] = None
    return orders


if __name__ == "__main__":
    make_orders().to_csv(Path(__file__).with_name("orders.csv"), index=False)
