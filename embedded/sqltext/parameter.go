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
	if !strings.Contains(text, "?") {
		return text, nil
	}
	tokens, err := Lex(text)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	from, n := 0, 0
	for _, t := range tokens {
		if !t.Is("?") {
			continue
		}
		n++
		b.WriteString(text[from:t.Offset] + "$" + strconv.Itoa(n))
		from = t.Offset + len(t.Text)
	}
	if n == 0 {
		return text, nil // it is in a text
	}
	if own, err := Parameters(text); err != nil || own > 0 {
		return "", fault.New(fault.Syntax, "the statement has parameters as ? and as $1", "write all in one way")
	}
	b.WriteString(text[from:])
	return b.String(), nil
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
	var b strings.Builder
	from := 0
	for i := 0; i+1 < len(tokens); i++ {
		mark, number := tokens[i], tokens[i+1]
		if !mark.Is("$") || number.Kind != Number || number.Offset != mark.Offset+1 {
			continue
		}
		n, err := strconv.Atoi(number.Text)
		if err != nil || n < 1 || n > ParametersMax {
			return "", At(fault.Newf(fault.Syntax, "parameters are $1, $2 and so on", "there is no parameter $%s", number.Text), text, mark.Offset)
		}
		b.WriteString(text[from:mark.Offset])
		b.WriteString(of(n))
		if b.Len() > TextBytesMax {
			return "", fault.Newf(fault.TooLarge, "send smaller values", "the statement with its values has more than %d bytes", TextBytesMax)
		}
		from = number.Offset + len(number.Text)
	}
	b.WriteString(text[from:])
	return b.String(), nil
}
