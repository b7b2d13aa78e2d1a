"""What a thousand secrets cost in a month, from counts that tests assert and from AWS's published prices. Prints the tables of docs/cost.md."""

SECRETS, HOURS = 1000, 730

# In dollars, us-east-1. docs/cost.md says where each comes from.
SECRET, CALL, INVOCATION, GB_SECOND, SIGNATURE = 0.40, 0.05 / 10_000, 0.20 / 1_000_000, 0.0000133334, 0.03 / 10_000

# Of one rotation: calls to Secrets Manager, signatures by KMS. tests/tests/{lambda,github}/cost.rs assert them.
PASSWORD, TOKEN, DEPLOY_KEY = (12, 0), (11, 1), (15, 3)
# ListSecretVersionIds and RotateSecret, for each rotation that a tick asks for; a ListSecrets for each hundred secrets in each tick.
ASKED, TICKS, PAGE = 2, 12, 100
# Four steps, of which all together are taken to last so long; and a tick.
STEPS, SECONDS, TICK_SECONDS, MEMORY = 4, 2.0, 2.0, 0.125

CASES = [
    ("a password every 30 days, by Secrets Manager's own schedule", PASSWORD, 30 * 24, False),
    ("a deploy key every 30 days, the same", DEPLOY_KEY, 30 * 24, False),
    ("a password every day, by tag", PASSWORD, 24, True),
    ("a password every hour, by tag", PASSWORD, 1, True),
    ("an installation token every 20 minutes, by tag", TOKEN, 1 / 3, True),
]


def month(kind, interval, by_tag):
    calls, signatures = kind
    rotations = SECRETS * HOURS / interval
    ticks = HOURS * TICKS if by_tag else 0
    api = rotations * (calls + ASKED * by_tag) + ticks * SECRETS / PAGE
    computing = (rotations * SECONDS + ticks * TICK_SECONDS) * MEMORY * GB_SECOND + (rotations * STEPS + ticks) * INVOCATION
    return {"rotations": rotations, "secrets": SECRETS * SECRET, "api": api * CALL, "lambda": computing, "kms": rotations * signatures * SIGNATURE}


def table():
    rows = ["| a thousand times | rotations | secrets | calls | Lambda | signatures | together |", "| --- | --- | --- | --- | --- | --- | --- |"]
    for name, *case in CASES:
        it = month(*case)
        together = sum(it[key] for key in ["secrets", "api", "lambda", "kms"])
        cells = [name, f"{it['rotations']:,.0f}", *(f"${it[key]:,.2f}" for key in ["secrets", "api", "lambda", "kms"]), f"${together:,.2f}"]
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows)


if __name__ == "__main__":
    print(table())
