// Package jsonscan reads JSON text (RFC 8259) in one flat pass, member by member: for landing, for
// pipelines and for change events. Whatever it passes over is read to the last byte, so that a text
// of which Err is nil at its End is valid JSON and valid UTF-8. It makes no tree and, but for texts
// nested deeper than 64 levels, takes no memory. What a value means in a column of some type is
// told by the functions beside it, so that all readers read alike.
package jsonscan

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"unicode/utf8"
)

// depthMax bounds nesting, as encoding/json does.
const depthMax = 10_000

// Kind tells what a Value is.
type Kind uint8

// The kinds. Invalid is the value after a fault.
const (
	Invalid Kind = iota
	Null
	False
	True
	Number
	Text
	Object
	Array
)

// Value is one value as it stands in the text, whose bytes it shares.
type Value struct {
	Kind    Kind
	Escaped bool // of a Text: what stands between the quotes has escapes
	Plain   bool // of a Number: Int is it, for it has no point, no exponent and at most 18 digits
	Int     int64
	Raw     []byte // from the first byte to the last, a Text's quotes too
}

// Scanner walks one text. A fault stays: from then on nothing more is found, and Err tells it.
type Scanner struct {
	b     []byte
	i     int
	high  uint64 // has a bit 0x80 in some byte if a text may be more than ASCII
	depth int
	// Of the open levels, innermost lowest: 1 for an object. The first 64, and then the others.
	shallow uint64
	deep    []uint64
	fault   string
	at      int
	v       Value
}

// Reset begins with a text.
func (s *Scanner) Reset(text []byte) {
	s.b, s.i, s.high, s.depth, s.fault, s.at = text, 0, 0, 0, "", 0
}

// Err is the first fault, with its place in the text.
func (s *Scanner) Err() error {
	if s.fault == "" {
		return nil
	}
	return fmt.Errorf("%s at byte %d", s.fault, s.at)
}

// Fault is the first fault in words and the byte that it is at; "" while there is none.
func (s *Scanner) Fault() (what string, at int) { return s.fault, s.at }

func (s *Scanner) fail(what string) {
	if s.fault == "" {
		s.fault, s.at = what, s.i
	}
	s.i = len(s.b)
}

// peek is the next byte that is no white space, 0 at the end.
func (s *Scanner) peek() byte {
	for s.i < len(s.b) {
		c := s.b[s.i]
		if c > ' ' {
			return c
		}
		if c != ' ' && c != '\n' && c != '\t' && c != '\r' {
			break
		}
		s.i++
	}
	return 0
}

// Object is the text from an object on that begins here; nil where none does.
func (s *Scanner) Object() []byte {
	if s.peek() != '{' {
		return nil
	}
	return s.b[s.i:]
}

// Since is how many bytes the scanner has gone since Object gave the rest.
func (s *Scanner) Since(rest []byte) int { return s.i - (len(s.b) - len(rest)) }

// Open enters the object that begins here. It tells whether there is a member.
func (s *Scanner) Open() bool {
	if s.peek() != '{' {
		s.fail("want '{'")
		return false
	}
	s.push('{')
	if s.peek() == '}' {
		s.i++
		s.depth--
		return false
	}
	return s.fault == ""
}

// More goes behind the value of a member. It tells whether there is another member, or leaves the object.
func (s *Scanner) More() bool {
	c := byte(0)
	if s.i < len(s.b) {
		if c = s.b[s.i]; c <= ' ' {
			c = s.peek()
		}
	}
	switch c {
	case ',':
		s.i++
		return true
	case '}':
		s.i++
		s.depth--
		return false
	}
	s.fail("want ',' or '}'")
	return false
}

// Quoted is how Skip finds a member of this name; "" for a name that is never written plainly.
func Quoted(name string) string {
	for i := range len(name) {
		if name[i] < ' ' || name[i] == '"' || name[i] == '\\' {
			return ""
		}
	}
	if !utf8.ValidString(name) {
		return ""
	}
	return `"` + name + `":`
}

// Skip goes behind a name and its colon if they stand here in just these bytes, which Quoted gave.
func (s *Scanner) Skip(quoted string) bool {
	end := s.i + len(quoted)
	if quoted == "" || end > len(s.b) || string(s.b[s.i:end]) != quoted {
		return false
	}
	s.i = end // Quoted found the name to be UTF-8
	return true
}

// Name goes behind a member's name and its colon, and returns what stands between the quotes.
func (s *Scanner) Name() (raw []byte, escaped bool) {
	if s.peek() != '"' {
		s.fail("want '\"'")
		return nil, false
	}
	from := s.i + 1
	escaped = s.text()
	if s.fault != "" {
		return nil, false
	}
	raw = s.b[from : s.i-1]
	if s.peek() != ':' {
		s.fail("want ':'")
		return nil, false
	}
	s.i++
	return raw, escaped
}

// Value goes behind the value that begins here, whatever it is. What it returns is the scanner's
// own, until the next one is asked for.
func (s *Scanner) Value() *Value {
	c := byte(0)
	if s.i < len(s.b) {
		if c = s.b[s.i]; c <= ' ' {
			c = s.peek()
		}
	}
	v, from := &s.v, s.i
	switch c {
	case '"':
		v.Kind, v.Escaped = Text, s.text()
	case '{':
		s.nested()
		v.Kind = Object
	case '[':
		s.nested()
		v.Kind = Array
	default:
		s.scalar(c)
	}
	if s.fault != "" {
		*v = Value{}
		return v
	}
	v.Raw = s.b[from:s.i:s.i]
	return v
}

// End checks that nothing but white space is left, and that all of it is UTF-8. It returns Err.
func (s *Scanner) End() error {
	if s.fault == "" {
		if s.peek(); s.i < len(s.b) {
			s.fail("more than one value")
		} else if s.high&highBits != 0 && !utf8.Valid(s.b) {
			s.fail("a text is not UTF-8")
		}
	}
	return s.Err()
}

// scalar takes a value that is no text and has no parts.
func (s *Scanner) scalar(c byte) {
	switch {
	case c-'0' <= 9 || c == '-':
		s.number()
	case c == 'n':
		s.word("null", Null)
	case c == 't':
		s.word("true", True)
	case c == 'f':
		s.word("false", False)
	default:
		s.fail("want a value")
	}
}

func (s *Scanner) word(w string, kind Kind) {
	end := s.i + len(w)
	if end > len(s.b) || string(s.b[s.i:end]) != w {
		s.fail("want a value")
		return
	}
	s.i, s.v.Kind = end, kind
}

// plainDigits are as many digits as surely fit 64 bits.
const plainDigits = 18

func (s *Scanner) number() {
	b, from, i := s.b, s.i, s.i
	if b[i] == '-' {
		i++
	}
	first, n := i, int64(0)
	for i < len(b) && b[i]-'0' <= 9 {
		n = n*10 + int64(b[i]-'0') // of more than plainDigits it is not used
		i++
	}
	if i == first || b[first] == '0' && i > first+1 {
		s.fail("want a number")
		return
	}
	plain := i-first <= plainDigits
	if i < len(b) && b[i] == '.' {
		plain = false
		if i = digits(b, i+1); i < 0 {
			s.fail("want a digit behind the point")
			return
		}
	}
	if i < len(b) && b[i]|0x20 == 'e' {
		plain = false
		if i++; i < len(b) && (b[i] == '+' || b[i] == '-') {
			i++
		}
		if i = digits(b, i); i < 0 {
			s.fail("want a digit in the exponent")
			return
		}
	}
	if b[from] == '-' {
		n = -n
	}
	s.i = i
	s.v.Kind, s.v.Plain, s.v.Int = Number, plain, n
}

// digits goes behind one digit or more; -1 where there is none.
func digits(b []byte, i int) int {
	from := i
	for i < len(b) && b[i]-'0' <= 9 {
		i++
	}
	if i == from {
		return -1
	}
	return i
}

const (
	lowBits  = 0x0101010101010101
	highBits = 0x8080808080808080
)

// text goes behind the text whose first quote stands here. Eight bytes at once are looked at for
// what ends it or is not allowed; of the bits that this finds the lowest is always right.
func (s *Scanner) text() (escaped bool) {
	b, i, high := s.b, s.i+1, s.high
	for {
		for {
			if i+8 > len(b) {
				for i < len(b) && b[i] >= ' ' && b[i] != '"' && b[i] != '\\' {
					high |= uint64(b[i])
					i++
				}
				break
			}
			w := binary.LittleEndian.Uint64(b[i:])
			high |= w
			quote, slash := w^('"'*lowBits), w^('\\'*lowBits)
			found := ((quote-lowBits)&^quote | (slash-lowBits)&^slash | (w-' '*lowBits)&^w) & highBits
			if found != 0 {
				i += bits.TrailingZeros64(found) >> 3
				break
			}
			i += 8
		}
		if i < len(b) && b[i] == '"' {
			s.i, s.high = i+1, high
			return escaped
		}
		s.i = i
		switch {
		case i >= len(b):
			s.fail("text without end")
		case b[i] == '\\':
			if n := escape(b[i+1:]); n > 0 {
				i += 1 + n
				escaped = true
				continue
			}
			s.fail("unknown escape")
		default:
			s.fail("control character in a text")
		}
		return false
	}
}

// nested takes an object or an array with all that is in it.
func (s *Scanner) nested() {
	base := s.depth
	for {
		c := s.peek()
		switch c {
		case '"':
			s.text()
		case '{', '[':
			if !s.push(c) {
				return
			}
			if s.peek() == c+2 { // '}' or ']'
				break
			}
			if c == '{' {
				s.Name()
			}
			continue
		default:
			s.scalar(c)
		}
		if s.i < len(s.b) && s.b[s.i] == ',' { // mostly
			if s.i++; s.object() {
				s.Name()
			}
			continue
		}
		if s.leave(base) {
			return
		}
	}
}

// leave goes on behind a value: out of the levels that end here, to the next value. It is true
// when all levels above base are left, and after a fault.
func (s *Scanner) leave(base int) bool {
	for s.depth > base {
		object := s.object()
		switch c := s.peek(); {
		case c == ',':
			if s.i++; object {
				s.Name()
			}
			return s.fault != ""
		case c == '}' && object, c == ']' && !object:
			s.i++
			s.depth--
		default:
			s.fail("want ',' or the closing bracket")
			return true
		}
	}
	return true
}

// push enters the level whose bracket stands here.
func (s *Scanner) push(c byte) bool {
	if s.depth == depthMax {
		s.fail("nested too deep")
		return false
	}
	word := &s.shallow
	if n := s.depth / 64; n > 0 {
		if n > len(s.deep) {
			s.deep = append(s.deep, 0)
		}
		word = &s.deep[n-1]
	}
	bit := uint64(1) << (s.depth % 64)
	if *word &^= bit; c == '{' {
		*word |= bit
	}
	s.depth++
	s.i++
	return true
}

// object tells whether the innermost level is an object.
func (s *Scanner) object() bool {
	at := s.depth - 1
	word := s.shallow
	if n := at / 64; n > 0 {
		word = s.deep[n-1]
	}
	return word>>(at%64)&1 == 1
}
