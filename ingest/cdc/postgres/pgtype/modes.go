package pgtype

import (
	"slices"
	"strings"

	"tarn/embedded/record/envelope"
)

// The settings of Debezium's PostgreSQL connector that decide how values are written.
const (
	KeyDecimal     = "decimal.handling.mode"
	KeyTime        = "time.precision.mode"
	KeyInterval    = "interval.handling.mode"
	KeyHStore      = "hstore.handling.mode"
	KeyBinary      = "binary.handling.mode"
	KeyUnknown     = "include.unknown.datatypes"
	KeyUnavailable = "unavailable.value.placeholder"
	// KeySpecial is Tarn's own: "debezium" writes a NaN of a numeric as null, as Debezium does; "extra" writes it to _extra.
	KeySpecial = "tarn.special.values"
)

// Modes are those settings. The zero value is Debezium's defaults.
type Modes struct {
	Decimal     string // "precise", "string", "double"
	Time        string // "adaptive", "adaptive_time_microseconds", "connect", "isostring", "microseconds", "nanoseconds"
	Interval    string // "numeric", "string"
	HStore      string // "json", "map"
	Binary      string // "bytes", "base64", "base64-url-safe", "hex"
	Unknown     bool   // types that Debezium does not know are captured, as text
	Unavailable string // "" is Debezium's word
	Special     string // "debezium", "extra"
}

// Choices are the words that a setting takes, its default first; none where it takes any text.
func Choices(key string) []string {
	switch key {
	case KeyDecimal:
		return []string{"precise", "string", "double"}
	case KeyTime:
		return []string{"adaptive", "adaptive_time_microseconds", "connect", "isostring", "microseconds", "nanoseconds"}
	case KeyInterval:
		return []string{"numeric", "string"}
	case KeyHStore:
		return []string{"json", "map"}
	case KeyBinary:
		return []string{"bytes", "base64", "base64-url-safe", "hex"}
	case KeyUnknown:
		return []string{"false", "true"}
	case KeySpecial:
		return []string{"debezium", "extra"}
	}
	return nil
}

// ParseModes reads the settings by get, which returns a key's value or the other text it is given. bad is the first key
// whose value is none of its Choices; "" for none.
func ParseModes(get func(key, other string) string) (m Modes, bad string) {
	choice := func(key string) string {
		words := Choices(key)
		value := strings.ToLower(strings.TrimSpace(get(key, words[0])))
		if slices.Contains(words, value) {
			return value
		}
		if bad == "" {
			bad = key
		}
		return words[0]
	}
	m = Modes{
		Decimal: choice(KeyDecimal), Time: choice(KeyTime), Interval: choice(KeyInterval), HStore: choice(KeyHStore),
		Binary: choice(KeyBinary), Unknown: choice(KeyUnknown) == "true", Special: choice(KeySpecial),
	}
	if word := get(KeyUnavailable, envelope.Unavailable); word != envelope.Unavailable {
		m.Unavailable = word
	}
	return m, bad
}
