"""What a bank's payroll system says of its customers, as features of the bank's own."""

from features.own_views import Feature, Parquet, View

payroll = View(
    name="payroll",
    source=Parquet("payroll.parquet", key="client_no", known_at="booked_at"),
    features=[
        Feature("salary_paid", float, "The last salary that came in, in the bank's currency."),
        Feature("employer_sector", str, "What the employer does."),
    ],
    description="Salaries, from the moment they are booked.",
    owner="payroll-data@bank.example",
)


@payroll.transformation("How much of what comes in is salary, by the income that the customer told us (0–1).")
def salary_share(salary_paid: float | None, monthly_income_cny: float | None) -> float | None:
    return min(salary_paid / monthly_income_cny, 1.0) if salary_paid is not None and monthly_income_cny else None
