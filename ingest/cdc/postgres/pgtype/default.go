package pgtype

import (
	"strings"

	"tarn/embedded/record"
	"tarn/embedded/record/envelope"
)

// defaults fills in what events say where the server says nothing.
func (c *Codec) defaults(a Attr) {
	if v, ok := c.parseDefault(a); ok && envelope.Fits(&plainSchema, &c.Column, v) {
		c.Column.Default = envelope.AppendValue(nil, &plainSchema, &c.Column, v)
		c.Absent = v
		return
	}
	if a.NotNull {
		c.Absent = c.zero()
	}
}

// parseDefault reads a default that is a literal, or the zero that Debezium has for one that is made anew for each row.
func (c *Codec) parseDefault(a Attr) (record.Value, bool) {
	switch c.Column.Semantic {
	case record.VariableScaleDecimal, record.Array, record.Point, record.Map, record.HStoreText:
		return record.Value{}, false // structs have no defaults in Debezium
	}
	text, kind := literal(a.Default)
	if c.Column.Type == record.Binary && c.Column.Semantic != record.Bits {
		return record.Value{}, false
	}
	switch kind {
	case constant:
		v := c.Text(&Arena{}, []byte(text))
		return v, v.Kind != record.TextKind || c.holdsText()
	case called:
		switch c.Column.Type {
		case record.Int, record.Long:
			return record.Value{Kind: record.IntKind}, strings.HasPrefix(a.Default, "nextval(")
		case record.Date, record.Time, record.Timestamp:
			return record.Value{Kind: record.IntKind}, a.NotNull
		case record.UUID:
			return record.Value{Kind: record.TextKind, B: []byte("00000000-0000-0000-0000-000000000000")}, a.NotNull
		}
	}
	return record.Value{}, false
}

// holdsText tells whether the column's values are text; in others text is a misfit.
func (c *Codec) holdsText() bool {
	switch c.Column.Type {
	case record.Boolean, record.Int, record.Long, record.Float, record.Double, record.Date, record.Time, record.Timestamp,
		record.TimestampTZ, record.Binary:
		return false
	}
	return true
}

// The kinds of a default's expression.
const (
	other    = iota
	constant // 5, 'x'::text, B'1'::"bit", true
	called   // now(), nextval('…'::regclass), CURRENT_TIMESTAMP
)

// literal takes an expression of pg_get_expr apart.
func literal(expression string) (text string, kind int) {
	e := strings.TrimSpace(expression)
	for strings.HasPrefix(e, "(") {
		inner, rest, ok := strings.Cut(e[1:], ")")
		if !ok || strings.ContainsAny(inner, "('") || rest != "" && !strings.HasPrefix(rest, "::") {
			return "", other
		}
		e = inner
	}
	if e == "" || strings.HasPrefix(e, "NULL") {
		return "", other
	}
	if quoted, ok := strings.CutPrefix(strings.TrimPrefix(e, "B"), "'"); ok {
		for i := 0; i < len(quoted); i++ {
			switch {
			case quoted[i] != '\'':
			case i+1 < len(quoted) && quoted[i+1] == '\'':
				i++
			case i+1 == len(quoted) || strings.HasPrefix(quoted[i+1:], "::") && !strings.ContainsAny(quoted[i+1:], "|+*/"):
				return strings.ReplaceAll(quoted[:i], "''", "'"), constant
			default:
				return "", other
			}
		}
		return "", other
	}
	bare, _, _ := strings.Cut(e, "::")
	if bare == "true" || bare == "false" {
		return bare[:1], constant
	}
	if strings.Trim(bare, "-.0123456789") == "" {
		return bare, constant
	}
	if strings.HasSuffix(e, ")") || strings.HasPrefix(e, "CURRENT_") || strings.HasPrefix(e, "LOCAL") {
		return "", called
	}
	return "", other
}

// zero is what Debezium has for a column that may not be null, has no default, and was not sent.
func (c *Codec) zero() record.Value {
	text := func(s string) record.Value { return record.Value{Kind: record.TextKind, B: []byte(s)} }
	switch c.Column.Semantic {
	case record.VariableScaleDecimal, record.Decimal:
		return text("0")
	case record.ZonedTimestamp:
		return text("1970-01-01T00:00:00Z")
	case record.ZonedTime:
		return text("00:00:00Z")
	case record.Point:
		return point(&Arena{}, 0, 0)
	case record.Array:
		return text("[]")
	case record.Map, record.HStoreText:
		return text("{}")
	}
	switch c.Column.Type {
	case record.Boolean:
		return record.Value{Kind: record.BoolKind}
	case record.Int, record.Long, record.Date, record.Time, record.Timestamp:
		return record.Value{Kind: record.IntKind}
	case record.Float, record.Double:
		return record.Value{Kind: record.FloatKind}
	case record.Binary:
		return record.Value{Kind: record.BytesKind, B: []byte{}}
	}
	return text("")
}
