"""What a month costs on AWS: prices, facts of the template, assumptions, what past runs measured, and the estimate."""
