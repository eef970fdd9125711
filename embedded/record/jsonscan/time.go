package jsonscan

// Years of four digits are all that dates and timestamps know: 0001-01-01 to 9999-12-31.
const (
	daysMin = -719162
	daysMax = 2932896

	// DayMicros are the microseconds of a day.
	DayMicros    = 86_400_000_000
	secondMicros = 1_000_000
	minuteMicros = 60 * secondMicros
	hourMicros   = 60 * minuteMicros
)

// InYears tells whether days since 1970 are of the years 0001 to 9999.
func InYears(days int64) bool { return days >= daysMin && days <= daysMax }

// InYearsMicros tells it of microseconds since 1970.
func InYearsMicros(micros int64) bool {
	return micros >= daysMin*DayMicros && micros < (daysMax+1)*DayMicros
}

// Date reads YYYY-MM-DD as days since 1970.
func Date(text []byte) (days int64, ok bool) {
	if len(text) != 10 || text[4] != '-' || text[7] != '-' {
		return 0, false
	}
	c, y1 := two(text)
	y2, y3 := two(text[2:])
	m, ok1 := two(text[5:])
	d, ok2 := two(text[8:])
	year := c*100 + y2
	if !y1 || !y3 || !ok1 || !ok2 || year < 1 || m < 1 || m > 12 || d < 1 || d > monthDays(year, m) {
		return 0, false
	}
	return civil(year, m, d), true
}

// two reads two digits, of which there are as many bytes.
func two(b []byte) (n int64, ok bool) {
	hi, lo := b[0]-'0', b[1]-'0'
	return int64(hi)*10 + int64(lo), hi <= 9 && lo <= 9
}

func monthDays(year, month int64) int64 {
	switch month {
	case 4, 6, 9, 11:
		return 30
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	}
	return 31
}

// civil is the day of a date since 1970, counted from the first of March.
func civil(year, month, day int64) int64 {
	if month <= 2 {
		year, month = year-1, month+12
	}
	return 365*year + year/4 - year/100 + year/400 + (153*(month-3)+2)/5 + day - 1 - 719468
}

// Civil is the date of a day since 1970, in the proleptic Gregorian calendar; the year before 1 is 0.
func Civil(days int64) (year, month, day int64) {
	const era = 146_097 // days in 400 years
	days += 719_468     // since the first of March of the year 0
	eras := days / era
	if days%era < 0 {
		eras--
	}
	of := days - eras*era
	year = (of - of/1460 + of/36_524 - of/(era-1)) / 365
	of -= 365*year + year/4 - year/100
	month = (5*of + 2) / 153
	day = of - (153*month+2)/5 + 1
	year += eras * 400
	if month += 3; month > 12 {
		return year + 1, month - 12, day
	}
	return year, month, day
}

// Days is the day since 1970 of a date in the proleptic Gregorian calendar; the year before 1 is 0.
func Days(year, month, day int64) int64 {
	eras := year / 400
	if year%400 <= 0 {
		eras--
	}
	return civil(year-eras*400, month, day) + eras*146_097
}

// Clock reads HH:MM:SS[.fraction] as microseconds since midnight.
func Clock(text []byte) (micros int64, ok bool) {
	if len(text) < 8 {
		return 0, false
	}
	micros, rest, ok := clock(text)
	return micros, ok && len(rest) == 0
}

// clock reads HH:MM[:SS[.fraction]] and returns what is left. Of the up to nine digits of the
// fraction only zeros may follow the sixth.
func clock(text []byte) (micros int64, rest []byte, ok bool) {
	if len(text) < 5 || text[2] != ':' {
		return 0, nil, false
	}
	h, ok1 := two(text)
	m, ok2 := two(text[3:])
	if !ok1 || !ok2 || h > 23 || m > 59 {
		return 0, nil, false
	}
	micros = h*hourMicros + m*minuteMicros
	if text = text[5:]; len(text) < 3 || text[0] != ':' {
		return micros, text, true
	}
	s, ok := two(text[1:])
	if !ok || s > 59 {
		return 0, nil, false
	}
	micros += s * secondMicros
	if text = text[3:]; len(text) == 0 || text[0] != '.' {
		return micros, text, true
	}
	i, unit := 1, int64(secondMicros)
	for ; i < len(text) && text[i]-'0' <= 9; i++ {
		unit /= 10
		if unit == 0 && text[i] != '0' {
			return 0, nil, false
		}
		micros += int64(text[i]-'0') * unit
	}
	return micros, text[i:], i > 1 && i <= 10
}

// Instant reads a date and a time of day with 'T' or a space between them, in ISO 8601 or as SQL
// writes them, as microseconds since 1970 in UTC. Behind them may stand 'Z' or an offset; zoned
// tells whether one does.
func Instant(text []byte) (micros int64, zoned, ok bool) {
	if len(text) < 16 || text[10] != 'T' && text[10] != ' ' {
		return 0, false, false
	}
	days, ok := Date(text[:10])
	if !ok {
		return 0, false, false
	}
	micros, rest, ok := clock(text[11:])
	if !ok {
		return 0, false, false
	}
	micros += days * DayMicros
	switch {
	case len(rest) == 0:
		return micros, false, true
	case len(rest) == 1 && rest[0] == 'Z':
		return micros, true, true
	}
	shift, ok := offset(rest)
	micros -= shift
	return micros, true, ok && InYearsMicros(micros)
}

// offset reads ±HH, ±HHMM or ±HH:MM in microseconds.
func offset(text []byte) (micros int64, ok bool) {
	sign := int64(1)
	switch text[0] {
	case '+':
	case '-':
		sign = -1
	default:
		return 0, false
	}
	var m int64
	ok = true
	switch {
	case len(text) == 3:
	case len(text) == 5:
		m, ok = two(text[3:])
	case len(text) == 6 && text[3] == ':':
		m, ok = two(text[4:])
	default:
		return 0, false
	}
	h, ok1 := two(text[1:])
	return sign * (h*hourMicros + m*minuteMicros), ok && ok1 && h <= 23 && m <= 59
}
