"""The benchmarks of the suite ``engine``: what is measured, and the rows that it makes."""
