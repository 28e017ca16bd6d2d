// Units of time in hours, as in units.py.

export const SECOND = 1 / 3600;
export const MINUTE = 1 / 60;
export const HOUR = 1;
export const DAY = 24;
export const WEEK = 168;
export const YEAR = 365.25 * DAY;
export const MONTH = YEAR / 12;
