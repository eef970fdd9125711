package sqltext

import (
	"strconv"
	"strings"

	"tarn/embedded/fault"
)

// ParametersMax bounds the parameters of a statement; the protocols of databases count them in 16 bits.
const ParametersMax = 65535

// Parameters is the highest $n of a statement; 0 for none.
func Parameters(text string) (n int, err error) {
	_, err = Substitute(text, func(i int) string {
		n = max(n, i)
		return ""
	})
	return n, err
}

// Numbered writes $1, $2 and so on for each ? of a statement. One that has both is Syntax.
func Numbered(text string) (string, error) {
	marks := 0
	out, err := SubstituteMarks(text, func(n int) string {
		marks = n
		return "$" + strconv.Itoa(n)
	})
	if err != nil {
		return "", err
	}
	if marks == 0 {
		return text, nil // it is in a text, if anywhere
	}
	if own, err := Parameters(text); err != nil || own > 0 {
		return "", fault.New(fault.Syntax, "the statement has parameters as ? and as $1", "write all in one way")
	}
	return out, nil
}

// Substitute puts what of gives in the place of each $n. What it gives must be an expression that is
// whole by itself, such as a literal or a call. A text that grows beyond TextBytesMax is TooLarge.
func Substitute(text string, of func(n int) string) (string, error) {
	if !strings.Contains(text, "$") {
		return text, nil
	}
	tokens, err := Lex(text)
	if err != nil {
		return "", err
	}
	out := filling{text: text}
	for i := 0; i+1 < len(tokens); i++ {
		mark, number := tokens[i], tokens[i+1]
		if !mark.Is("$") || number.Kind != Number || number.Offset != mark.Offset+1 {
			continue
		}
		n, err := strconv.Atoi(number.Text)
		if err != nil || n < 1 || n > ParametersMax {
			return "", At(fault.Newf(fault.Syntax, "parameters are $1, $2 and so on", "there is no parameter $%s", number.Text), text, mark.Offset)
		}
		if err := out.put(mark.Offset, number.Offset+len(number.Text), of(n)); err != nil {
			return "", err
		}
	}
	return out.whole(), nil
}

// SubstituteMarks is Substitute for each ?, counted from 1.
func SubstituteMarks(text string, of func(n int) string) (string, error) {
	if !strings.Contains(text, "?") {
		return text, nil
	}
	tokens, err := Lex(text)
	if err != nil {
		return "", err
	}
	out, n := filling{text: text}, 0
	for _, t := range tokens {
		if !t.Is("?") {
			continue
		}
		n++
		if err := out.put(t.Offset, t.Offset+len(t.Text), of(n)); err != nil {
			return "", err
		}
	}
	return out.whole(), nil
}

// filling is a statement's text while its parameters are put into it, in their order.
type filling struct {
	text string
	b    strings.Builder
	from int // what is before it is in b
}

func (f *filling) put(from, to int, value string) error {
	f.b.WriteString(f.text[f.from:from])
	f.b.WriteString(value)
	if f.b.Len() > TextBytesMax {
		return fault.Newf(fault.TooLarge, "send smaller values", "the statement with its values has more than %d bytes", TextBytesMax)
	}
	f.from = to
	return nil
}

func (f *filling) whole() string {
	f.b.WriteString(f.text[f.from:])
	return f.b.String()
}
