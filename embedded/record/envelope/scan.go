package envelope

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// ErrMalformed is the cause of every refusal to read an envelope or a row.
var ErrMalformed = errors.New("not a change event")

func malformed(at int, what string) error {
	return fmt.Errorf("%w: %s at byte %d", ErrMalformed, what, at)
}

// scanner walks JSON text in one flat pass. It checks what it looks at; of values that it
// skips it checks brackets and quotes alone.
type scanner struct {
	b []byte
	i int
}

func (s *scanner) space() {
	for s.i < len(s.b) {
		switch s.b[s.i] {
		case ' ', '\n', '\t', '\r':
			s.i++
		default:
			return
		}
	}
}

// peek is the next byte that is no white space, 0 at the end.
func (s *scanner) peek() byte {
	s.space()
	if s.i >= len(s.b) {
		return 0
	}
	return s.b[s.i]
}

func (s *scanner) take(c byte) error {
	if s.peek() != c {
		return malformed(s.i, "want "+strconv.QuoteRune(rune(c)))
	}
	s.i++
	return nil
}

// text takes a string and returns what stands between the quotes, not yet unescaped.
func (s *scanner) text() (raw []byte, escaped bool, err error) {
	if err := s.take('"'); err != nil {
		return nil, false, err
	}
	from := s.i
	for s.i < len(s.b) {
		switch s.b[s.i] {
		case '"':
			raw = s.b[from:s.i:s.i]
			s.i++
			return raw, escaped, nil
		case '\\':
			escaped = true
			s.i++
		}
		s.i++
	}
	s.i = len(s.b)
	return nil, false, malformed(from, "string without end")
}

// name takes a member's name and its colon.
func (s *scanner) name() ([]byte, error) {
	raw, escaped, err := s.text()
	if err != nil {
		return nil, err
	}
	if escaped {
		if raw, err = unescape(raw); err != nil {
			return nil, err
		}
	}
	return raw, s.take(':')
}

// value takes any value and returns its text.
func (s *scanner) value() ([]byte, error) {
	c := s.peek()
	from := s.i
	switch c {
	case '"':
		if _, _, err := s.text(); err != nil {
			return nil, err
		}
	case '{', '[':
		if err := s.nested(); err != nil {
			return nil, err
		}
	default:
		for s.i < len(s.b) && !bytes.ContainsRune([]byte(",}] \t\r\n"), rune(s.b[s.i])) {
			s.i++
		}
		if s.i == from {
			return nil, malformed(from, "want a value")
		}
	}
	return s.b[from:s.i:s.i], nil
}

// nested takes an object or an array, by counting brackets.
func (s *scanner) nested() error {
	from, depth := s.i, 0
	for s.i < len(s.b) {
		switch s.b[s.i] {
		case '"':
			if _, _, err := s.text(); err != nil {
				return err
			}
			continue
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		}
		s.i++
		if depth == 0 {
			return nil
		}
	}
	return malformed(from, "bracket without end")
}

// members calls each with the name of every member of the object that begins here;
// each takes the value.
func (s *scanner) members(each func(name []byte) error) error {
	if err := s.take('{'); err != nil {
		return err
	}
	if s.peek() == '}' {
		s.i++
		return nil
	}
	for {
		name, err := s.name()
		if err != nil {
			return err
		}
		if err := each(name); err != nil {
			return err
		}
		switch s.peek() {
		case ',':
			s.i++
		case '}':
			s.i++
			return nil
		default:
			return malformed(s.i, "want ',' or '}'")
		}
	}
}

// end checks that nothing but white space is left.
func (s *scanner) end() error {
	if s.peek() != 0 || s.i < len(s.b) {
		return malformed(s.i, "more than one value")
	}
	return nil
}

// unescape returns a string's value as new bytes.
func unescape(raw []byte) ([]byte, error) {
	out := make([]byte, 0, len(raw))
	for len(raw) > 0 {
		k := bytes.IndexByte(raw, '\\')
		if k < 0 {
			return append(out, raw...), nil
		}
		out = append(out, raw[:k]...)
		raw = raw[k+1:]
		if len(raw) == 0 {
			return nil, malformed(k, "escape without end")
		}
		c := raw[0]
		raw = raw[1:]
		if c == 'u' {
			var r rune
			var err error
			if r, raw, err = codePoint(raw); err != nil {
				return nil, err
			}
			out = utf8.AppendRune(out, r)
			continue
		}
		plain := bytes.IndexByte([]byte(`"\/bfnrt`), c)
		if plain < 0 {
			return nil, malformed(k, "unknown escape")
		}
		out = append(out, "\"\\/\b\f\n\r\t"[plain])
	}
	return out, nil
}

// codePoint reads what stands behind \u, and the second half of a pair of surrogates.
func codePoint(raw []byte) (rune, []byte, error) {
	r, ok := hex4(raw)
	if !ok {
		return 0, nil, malformed(0, "want four hex digits")
	}
	raw = raw[4:]
	if !utf16.IsSurrogate(r) {
		return r, raw, nil
	}
	if bytes.HasPrefix(raw, []byte(`\u`)) {
		if low, ok := hex4(raw[2:]); ok {
			if pair := utf16.DecodeRune(r, low); pair != utf8.RuneError {
				return pair, raw[6:], nil
			}
		}
	}
	return utf8.RuneError, raw, nil
}

func hex4(b []byte) (rune, bool) {
	if len(b) < 4 {
		return 0, false
	}
	v, err := strconv.ParseUint(string(b[:4]), 16, 16)
	return rune(v), err == nil
}
