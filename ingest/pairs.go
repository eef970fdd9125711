package ingest

import (
	"slices"

	"tarn/embedded/fault"
	"tarn/embedded/sqltext"
)

// pair is 'key' = 'value' of a list in a statement, and where both stand in it.
type pair struct {
	key, value     string
	keyAt, valueAt int
}

// readPairs reads ('key' = 'value', …) behind its parenthesis. A key comes once. Numbers and booleans are taken as the text they are.
func readPairs(in *sqltext.Reader, statement, example string) (out []pair, err error) {
	for {
		p := pair{keyAt: in.Offset()}
		if p.key, err = readKey(in, example); err != nil {
			return nil, err
		}
		if !in.Take("=") {
			return nil, in.Fault("= and a value")
		}
		p.valueAt = in.Offset()
		if p.value, err = readValue(in); err != nil {
			return nil, err
		}
		if slices.ContainsFunc(out, func(o pair) bool { return o.key == p.key }) {
			return nil, sqltext.At(fault.Newf(fault.Invalid, "leave one out", "the key %s is there twice", p.key), statement, p.keyAt)
		}
		out = append(out, p)
		if in.Take(")") {
			return out, nil
		}
		if !in.Take(",") {
			return nil, in.Fault("a comma or )")
		}
	}
}

// readKey reads 'key', or "key".
func readKey(in *sqltext.Reader, example string) (string, error) {
	switch t := in.Peek(); {
	case t.Kind == sqltext.String && t.Text[0] == '\'':
		return in.Next().Value(), nil
	case t.Kind == sqltext.Quoted:
		return in.Next().Name(), nil
	}
	return "", in.Fault("a key such as '" + example + "'")
}

func readValue(in *sqltext.Reader) (string, error) {
	sign := ""
	if in.Take("-") {
		sign = "-"
	}
	switch t := in.Peek(); {
	case t.Kind == sqltext.Number, sign == "" && (t.Is("true") || t.Is("false")):
		return sign + in.Next().Text, nil
	case sign == "" && t.Kind == sqltext.String && t.Text[0] == '\'':
		return in.Next().Value(), nil
	}
	return "", in.Fault("a text such as 'value'")
}
