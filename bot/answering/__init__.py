"""From a query to its reply: parsing, prediction, vote adjustment, load shedding."""
