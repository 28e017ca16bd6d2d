"""KetaMech and other engines on the same patients, doses and outputs: time and error."""
