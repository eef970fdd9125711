package sqltext

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"tarn/embedded/fault"
)

// constant reads what stands behind DEFAULT and returns it in DuckDB's SQL, "" for NULL: a text, a number or a truth that a column of a type can hold.
func (r *Reader) constant(typ string) (string, error) {
	at := r.Peek()
	if r.Take("NULL") {
		return "", nil
	}
	bad := func(hint string) (string, error) {
		return "", At(fault.New(fault.Invalid, "a DEFAULT is a constant of the column's type here", hint), r.text, at.Offset)
	}
	const anything = "write a text, a number, TRUE or FALSE; what is computed is given with each row"
	if typed := at.Is("DATE") || at.Is("TIME") || at.Is("TIMESTAMP"); typed && r.at+1 < len(r.tokens) && r.tokens[r.at+1].Kind == String {
		r.Next()
	}
	said, quoted := "", false
	switch t := r.Peek(); {
	case t.Kind == String:
		said, quoted = r.Next().Value(), true
	case t.Is("TRUE"), t.Is("FALSE"):
		said = strings.ToLower(r.Next().Text)
	default:
		if r.Take("-") {
			said = "-"
		} else {
			r.Take("+")
		}
		if r.Peek().Kind != Number {
			return bad(anything)
		}
		said += r.Next().Text
	}
	if r.Take(":", ":") {
		of, err := r.dataType()
		if err != nil {
			return "", err
		}
		if sort, _, _ := strings.Cut(of, "("); !strings.HasPrefix(typ, sort) {
			return bad("take the cast off, or cast it to the column's type")
		}
	}
	out, ok := held(said, quoted, typ)
	if !ok {
		return bad("write one that a " + typ + " can be; " + anything)
	}
	return out, nil
}

// The forms of constants that are read from a text.
var (
	plainNumber = regexp.MustCompile(`^[+-]?([0-9]*)(?:\.([0-9]*))?$`)
	plainUUID   = regexp.MustCompile(`^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$`)
	timeForms   = map[string][]string{
		"DATE": {"2006-01-02"}, "TIME": {"15:04", "15:04:05", "15:04:05.999999"},
		"TIMESTAMP": {"2006-01-02", "2006-01-02 15:04", "2006-01-02 15:04:05", "2006-01-02 15:04:05.999999", "2006-01-02T15:04:05", "2006-01-02T15:04:05.999999"},
	}
)

// held is a constant as a column of a type holds it; false for one that it cannot.
func held(said string, quoted bool, typ string) (string, bool) {
	text := "'" + strings.ReplaceAll(said, "'", "''") + "'"
	truth := map[string]string{"true": "true", "t": "true", "false": "false", "f": "false"}[strings.ToLower(said)]
	bare := strings.TrimSpace(said)
	switch typ {
	case "BOOLEAN":
		return truth, truth != ""
	case "INTEGER", "BIGINT":
		bits := map[string]int{"INTEGER": 32, "BIGINT": 64}[typ]
		n, err := strconv.ParseInt(bare, 10, bits)
		return strconv.FormatInt(n, 10), err == nil
	case "FLOAT", "DOUBLE":
		_, err := strconv.ParseFloat(bare, 64)
		return "'" + bare + "'", err == nil && !strings.ContainsAny(bare, "_xX")
	case "VARCHAR":
		return text, quoted || truth == ""
	case "UUID":
		return text, quoted && plainUUID.MatchString(said)
	}
	if layouts := timeForms[typ]; layouts != nil {
		return text, quoted && slices.ContainsFunc(layouts, func(layout string) bool { _, err := time.Parse(layout, said); return err == nil })
	}
	if numbers, ok := strings.CutPrefix(typ, "DECIMAL("); ok {
		p, s, _ := strings.Cut(strings.TrimSuffix(numbers, ")"), ",")
		digits, _ := strconv.Atoi(p)
		scale, _ := strconv.Atoi(s)
		m := plainNumber.FindStringSubmatch(bare)
		return bare, m != nil && m[1]+m[2] != "" && len(strings.TrimLeft(m[1], "0")) <= digits-scale && len(m[2]) <= scale
	}
	return "", false
}
