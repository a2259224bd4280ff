"""Linear and logistic regression with intervals, dummies, collinearity and residual checks."""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import statsmodels.api as sm
from statsmodels.stats.diagnostic import het_breuschpagan
from statsmodels.stats.outliers_influence import variance_inflation_factor
from statsmodels.stats.stattools import durbin_watson, jarque_bera
from statsmodels.tools.sm_exceptions import (
    ConvergenceWarning,
    HessianInversionWarning,
    PerfectSeparationWarning,
)

LEVEL = 0.05
MAX_LEVELS = 20
INFLUENCE_ROWS = 20_000
STRONG_VIF = 10.0
PER_TERM = 10
Progress = Callable[[float, str], None]


def regress(
    data: Any,
    target: str,
    features: list[str],
    kind: str = "linear",
    positive: str = "",
    reference: dict[str, str] | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Regresses `target` on `features`; for `logistic`, on the odds that it is `positive`."""
    rows = data.dropna(subset=[target, *features])
    terms, references, notes = designed(rows[features], reference or {})
    constant = [name for name in terms.columns if terms[name].nunique() < 2]
    terms = terms.drop(columns=constant)
    empty = pd.DataFrame({"term": features})
    if constant:
        notes.append(f"Left out, for they never vary: {', '.join(constant)}.")
    if not len(terms.columns):
        return {"table": empty, "problem": "None of the columns varies, so there is nothing to regress on."}
    same = twins(terms)
    if same:
        terms = terms.drop(columns=same)
        notes.append(f"Left out, for other terms give them exactly: {', '.join(same)}.")
    if len(rows) < len(terms.columns) + 3:
        needed = len(terms.columns) + 3
        return {
            "table": empty,
            "problem": f"{len(rows)} complete rows are too few for {len(terms.columns)} terms; "
            f"at least {needed} are needed.",
        }
    design = sm.add_constant(terms, has_constant="add")
    if progress:
        progress(0.3, "Fitting")
    if kind == "logistic":
        found = logistic(rows[target].astype(str) == positive, design, positive)
    else:
        found = linear(rows[target].astype(float), design)
    if "problem" in found:
        return {"table": empty, **found}
    vif = [np.nan] + [
        variance_inflation_factor(design.to_numpy(), place) if len(terms.columns) > 1 else 1.0
        for place in range(1, len(design.columns))
    ]
    table = found.pop("table")
    table.insert(len(table.columns), "VIF", vif)
    high = table.loc[table["VIF"] > STRONG_VIF, "term"].tolist()
    if high:
        notes.append(
            f"Strongly entangled with other terms (VIF above {STRONG_VIF:g}): {', '.join(high)}. "
            "Their separate coefficients are uncertain."
        )
    if references:
        said = "; ".join(f"{name} against {level}" for name, level in references.items())
        notes.append(f"Reference levels: {said}.")
    events = found.get("least_class", len(rows))
    if events < PER_TERM * len(terms.columns):
        notes.append(
            f"{events} cases for {len(terms.columns)} terms: fewer than {PER_TERM} a term is little."
        )
    ranked = table[table["term"] != "intercept"].sort_values("p", kind="stable")
    clearest = ranked.iloc[0]
    return {
        "table": table, "kind": kind, "target": target, "n": len(rows), "terms": len(terms.columns),
        "significant": int((ranked["p"] < LEVEL).sum()), "references": references,
        "clearest": {name: clearest[name] for name in ("term", "coefficient", "low", "high", "p")}
        | ({"odds_ratio": clearest["odds ratio"]} if kind == "logistic" else {}),
        **found, "notes": [*notes, *found.get("notes", [])],
    }  # fmt: skip


def designed(frame: Any, reference: dict[str, str]) -> tuple[Any, dict[str, str], list[str]]:
    """Numbers as they are, words as 0/1 against their most frequent level; rare levels together."""
    parts, references, notes = [], {}, []
    for name in frame.columns:
        values = frame[name]
        if pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values):
            parts.append(values.astype(float).rename(name))
            continue
        words = values.astype(str)
        counts = words.value_counts()
        if len(counts) > MAX_LEVELS:
            kept = set(counts.index[: MAX_LEVELS - 1])
            words = words.where(words.isin(kept), "(other)")
            notes.append(f"{name}: {len(counts) - MAX_LEVELS + 1} rare levels are taken together as (other).")
            counts = words.value_counts()
        asked = reference.get(name, "")
        level = asked if asked in counts.index else str(counts.index[0])
        if len(counts) > 1:
            references[name] = level
        dummies = pd.get_dummies(words, dtype=float)
        for other in sorted(set(counts.index) - {level}):
            parts.append(dummies[other].rename(f"{name}: {other}"))
    return pd.concat(parts, axis=1) if parts else pd.DataFrame(index=frame.index), references, notes


def twins(terms: Any) -> list[str]:
    """Terms that are exact sums of those before them: the rank does not grow with them."""
    scaled = (terms - terms.mean()) / terms.std()
    matrix = scaled.to_numpy()
    found: list[str] = []
    kept: list[int] = []
    for place, name in enumerate(terms.columns):
        if np.linalg.matrix_rank(matrix[:, [*kept, place]], tol=1e-7 * len(matrix)) <= len(kept):
            found.append(str(name))
        else:
            kept.append(place)
    return found


def linear(target: Any, design: Any) -> dict[str, Any]:
    """Least squares; errors that stay right under unequal spread where the residuals show it."""
    if target.nunique() < 2:
        return {"problem": "The target never varies, so there is nothing to explain."}
    fitted = sm.OLS(target.to_numpy(), design).fit()
    if fitted.rsquared > 1 - 1e-12:
        return {"problem": "The columns give the target exactly; one of them is computed from it."}
    spread = float(het_breuschpagan(fitted.resid, design.to_numpy())[1])
    shape, skew = (float(jarque_bera(fitted.resid)[place]) for place in (1, 2))
    notes = []
    if spread < LEVEL:
        fitted = sm.OLS(target.to_numpy(), design).fit(cov_type="HC3")
        notes.append(
            f"The residuals spread unequally (Breusch-Pagan p = {spread:.3g}), so the errors are "
            "robust (HC3)."
        )
    if shape < LEVEL:
        notes.append(f"The residuals are not normal (Jarque-Bera p = {shape:.3g}, skewness {skew:.2f}).")
    watson = float(durbin_watson(fitted.resid))
    if not 1.5 <= watson <= 2.5:
        notes.append(f"Neighbouring rows have related residuals (Durbin-Watson {watson:.2f}).")
    found: dict[str, Any] = {}
    if len(target) <= INFLUENCE_ROWS:
        distance = sm.OLS(target.to_numpy(), design).fit().get_influence().cooks_distance[0]
        found["most_influential"] = float(np.nanmax(distance))
        if found["most_influential"] > 1:
            count = int((distance > 1).sum())
            notes.append(f"{count} row(s) alone move the result (Cook's distance above 1): look at outliers.")
    return found | {
        "table": tabled(fitted, design), "r2": float(fitted.rsquared),
        "adjusted_r2": float(fitted.rsquared_adj), "f": float(fitted.fvalue), "f_p": float(fitted.f_pvalue),
        "residual_error": float(np.sqrt(fitted.mse_resid)), "robust": spread < LEVEL,
        "breusch_pagan_p": spread, "jarque_bera_p": shape, "durbin_watson": watson, "notes": notes,
    }  # fmt: skip


def logistic(event: Any, design: Any, positive: str) -> dict[str, Any]:
    """Maximum likelihood of the log odds; perfectly separated data has no such maximum."""
    count = int(event.sum())
    if count in (0, len(event)):
        return {"problem": "The target is the same in every row used, so there are no odds to explain."}
    with warnings.catch_warnings():
        warnings.simplefilter("error", PerfectSeparationWarning)
        warnings.simplefilter("ignore", (ConvergenceWarning))
        warnings.simplefilter("ignore", HessianInversionWarning)
        warnings.simplefilter("ignore", RuntimeWarning)
        try:
            fitted = sm.Logit(event.to_numpy(dtype=float), design).fit(disp=False, maxiter=100)
        except (PerfectSeparationWarning, np.linalg.LinAlgError):
            return {"problem": separated(event, design)}
    odds = np.abs(fitted.params.drop("const") * design.drop(columns="const").std())
    if not fitted.mle_retvals["converged"] or not np.isfinite(fitted.bse).all() or odds.max() > 15:
        return {"problem": separated(event, design)}
    table = tabled(fitted, design)
    for name, source in (("odds ratio", "coefficient"), ("OR low", "low"), ("OR high", "high")):
        table[name] = np.exp(table[source])
    predicted = (fitted.predict(design) >= 0.5).to_numpy() == event.to_numpy()
    share = count / len(event)
    notes = []
    if min(share, 1 - share) < 0.1:
        notes.append(f"{positive} is {share:.1%} of the rows: accuracy alone says little.")
    return {
        "table": table, "pseudo_r2": float(fitted.prsquared), "likelihood_p": float(fitted.llr_pvalue),
        "positive": positive, "positives": count, "least_class": min(count, len(event) - count),
        "accuracy": float(predicted.mean()), "baseline_accuracy": max(share, 1 - share), "notes": notes,
    }  # fmt: skip


def separated(event: Any, design: Any) -> str:
    """Which term tells the classes apart without fail, if one alone does."""
    for name in design.columns.drop("const"):
        yes, no = design.loc[event.to_numpy(), name], design.loc[~event.to_numpy(), name]
        if yes.min() > no.max() or no.min() > yes.max():
            return (
                f"{name} alone tells the two classes apart without fail (perfect separation), so its "
                "coefficient has no finite value. Leave it out, or use train_model."
            )
    return (
        "The columns tell the two classes apart without fail (perfect separation), or nearly so: the "
        "coefficients have no finite values. Use fewer columns, or train_model."
    )


def tabled(fitted: Any, design: Any) -> Any:
    """Coefficients with errors, p-values and 95% intervals."""
    interval = fitted.conf_int()
    return pd.DataFrame(
        {
            "term": ["intercept", *design.columns[1:]],
            "coefficient": np.asarray(fitted.params), "std error": np.asarray(fitted.bse),
            "statistic": np.asarray(fitted.tvalues), "p": np.asarray(fitted.pvalues),
            "low": np.asarray(interval)[:, 0], "high": np.asarray(interval)[:, 1],
        }
    )  # fmt: skip
