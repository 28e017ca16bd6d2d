"""Common statements about ketamine, tested in the model and against evidence."""
