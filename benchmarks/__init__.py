"""The same patients, doses and outputs on this engine and on others: error and time."""
