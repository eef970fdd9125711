package pgtype

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"math"
	"strconv"

	"tarn/embedded/record"
	"tarn/embedded/record/envelope"
)

// arrayDepthMax is PostgreSQL's MAXDIM.
const arrayDepthMax = 6

// arrayText is a walk over an array's text, "{1,NULL,"b c",{2}}", or "[0:1]={1,2}".
type arrayText struct {
	in   []byte
	room []byte // of the element in hand, where it had escapes
}

// element reads a quoted or bare element at the start; null for an unquoted NULL.
func (t *arrayText) element() (text []byte, null, ok bool) {
	if len(t.in) > 0 && t.in[0] == '"' {
		t.in = t.in[1:]
		t.room = t.room[:0]
		for {
			i := bytes.IndexAny(t.in, `"\`)
			if i < 0 {
				return nil, false, false
			}
			if t.in[i] == '"' {
				text = t.in[:i]
				if t.in = t.in[i+1:]; len(t.room) > 0 {
					text = append(t.room, text...)
				}
				return text, false, true
			}
			if i+1 >= len(t.in) {
				return nil, false, false
			}
			t.room = append(append(t.room, t.in[:i]...), t.in[i+1])
			t.in = t.in[i+2:]
		}
	}
	i := bytes.IndexAny(t.in, ",}")
	if i <= 0 {
		return nil, false, false
	}
	text, t.in = t.in[:i], t.in[i:]
	return text, bytes.EqualFold(text, []byte("null")), true
}

// walk goes over the level that begins here: open, then element or another level, each time, then shut. The separator is a comma,
// which is every type's but box's.
func (t *arrayText) walk(depth int, open, next, shut func(), element func(text []byte, null bool) bool) bool {
	if depth > arrayDepthMax || len(t.in) == 0 || t.in[0] != '{' {
		return false
	}
	t.in = t.in[1:]
	open()
	if len(t.in) > 0 && t.in[0] == '}' {
		t.in = t.in[1:]
		shut()
		return true
	}
	for {
		if len(t.in) > 0 && t.in[0] == '{' {
			if !t.walk(depth+1, open, next, shut, element) {
				return false
			}
		} else if text, null, ok := t.element(); !ok || !element(text, null) {
			return false
		}
		if len(t.in) == 0 {
			return false
		}
		c := t.in[0]
		t.in = t.in[1:]
		switch c {
		case ',':
			next()
		case '}':
			shut()
			return true
		default:
			return false
		}
	}
}

// begin leaves the bounds out, "[0:1]=".
func begin(src []byte) arrayText {
	if len(src) > 0 && src[0] == '[' {
		if _, rest, ok := bytes.Cut(src, []byte{'='}); ok {
			src = rest
		}
	}
	return arrayText{in: src}
}

// arrayTexts are the elements of an array of texts that is one level deep.
func arrayTexts(src []byte) (out []string, ok bool) {
	t := begin(src)
	none := func() {}
	ok = t.walk(1, none, none, none, func(text []byte, _ bool) bool {
		out = append(out, string(text))
		return true
	})
	return out, ok && len(t.in) == 0
}

// textArray renders an array as JSON, of elements as events have them.
func textArray(c *Codec, a *Arena, src []byte) record.Value {
	t := begin(src)
	t.room = a.element
	out := a.array[:0] // elements take from the arena meanwhile
	ok := t.walk(1,
		func() { out = append(out, '[') },
		func() { out = append(out, ',') },
		func() { out = append(out, ']') },
		func(text []byte, null bool) bool {
			var v record.Value
			if !null {
				v = c.item.Text(a, text)
			}
			if !envelope.Fits(&plainSchema, &c.item.Column, v) {
				return false
			}
			out = envelope.AppendValue(out, &plainSchema, &c.item.Column, v)
			return true
		})
	a.array, a.element = out, t.room
	if !ok || len(t.in) > 0 {
		return misfit(src)
	}
	return record.Value{Kind: record.TextKind, B: a.keep(append(a.take(len(out)), out...))}
}

// plainSchema is a schema without words of its own.
var plainSchema record.Schema

// textHStore renders `"a"=>"1", "b"=>NULL` as a JSON object.
func textHStore(_ *Codec, a *Arena, src []byte) record.Value {
	out := append(a.take(len(src)+len(src)/2+2), '{')
	t := arrayText{in: src}
	for n := 0; len(t.in) > 0; n++ {
		if n > 0 {
			rest, ok := bytes.CutPrefix(t.in, []byte(", "))
			if !ok {
				return misfit(src)
			}
			t.in, out = rest, append(out, ',')
		}
		key, _, ok := t.element()
		if !ok {
			return misfit(src)
		}
		out = append(envelope.AppendText(out, key), ':')
		rest, ok := bytes.CutPrefix(t.in, []byte("=>"))
		if !ok {
			return misfit(src)
		}
		t.in = rest
		if rest, ok = bytes.CutPrefix(t.in, []byte("NULL")); ok {
			t.in, out = rest, append(out, "null"...)
			continue
		}
		value, _, ok := t.element()
		if !ok {
			return misfit(src)
		}
		out = envelope.AppendText(out, value)
	}
	return record.Value{Kind: record.TextKind, B: a.keep(append(out, '}'))}
}

// point renders a point as Debezium's struct, with the well-known binary of PostGIS.
func point(a *Arena, x, y float64) record.Value {
	if math.IsInf(x, 0) || math.IsInf(y, 0) || math.IsNaN(x) || math.IsNaN(y) {
		return misfit([]byte("(" + strconv.FormatFloat(x, 'g', -1, 64) + "," + strconv.FormatFloat(y, 'g', -1, 64) + ")"))
	}
	var wkb [21]byte
	wkb[0], wkb[1] = 1, 1
	binary.LittleEndian.PutUint64(wkb[5:], math.Float64bits(x))
	binary.LittleEndian.PutUint64(wkb[13:], math.Float64bits(y))
	double := record.Column{Type: record.Double}
	out := append(a.take(160), `{"x":`...)
	out = envelope.AppendValue(out, &plainSchema, &double, record.Value{Kind: record.FloatKind, F: x})
	out = envelope.AppendValue(append(out, `,"y":`...), &plainSchema, &double, record.Value{Kind: record.FloatKind, F: y})
	out = base64.StdEncoding.AppendEncode(append(out, `,"wkb":"`...), wkb[:])
	return record.Value{Kind: record.TextKind, B: a.keep(append(out, `","srid":null}`...))}
}
