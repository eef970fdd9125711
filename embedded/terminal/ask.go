package terminal

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"strings"

	"golang.org/x/term"
)

// Ask asks a person a question of yes or no. asked is false where nobody is there to answer: where stdin or out is no terminal.
// When ctx ends first the answer is no.
func Ask(ctx context.Context, out io.Writer, question string) (yes, asked bool) {
	if !term.IsTerminal(int(os.Stdin.Fd())) || !Is(out) { //nolint:gosec // a descriptor fits
		return false, false
	}
	_, _ = io.WriteString(out, question+" [y/N] ")
	answer := make(chan string, 1)
	go func() { // it ends with the process where nobody answers
		line, _ := bufio.NewReader(os.Stdin).ReadString('\n')
		answer <- strings.ToLower(strings.TrimSpace(line))
	}()
	select {
	case <-ctx.Done():
		return false, true
	case said := <-answer:
		return said == "y" || said == "yes", true
	}
}

// Secret asks a person on out for what nobody shall see, or reads it as the first line of stdin where that is no terminal.
func Secret(ctx context.Context, out io.Writer, question string) (string, error) {
	in := int(os.Stdin.Fd()) //nolint:gosec // a descriptor fits
	if !term.IsTerminal(in) {
		line, err := bufio.NewReader(os.Stdin).ReadString('\n')
		if errors.Is(err, io.EOF) {
			err = nil
		}
		return strings.TrimRight(line, "\r\n"), err
	}
	before, err := term.GetState(in)
	if err != nil {
		return "", err
	}
	_, _ = io.WriteString(out, question)
	defer func() { _, _ = io.WriteString(out, "\n") }()
	type answer struct {
		text []byte
		err  error
	}
	said := make(chan answer, 1)
	go func() { // it ends with the process where nobody answers
		text, err := term.ReadPassword(in)
		said <- answer{text, err}
	}()
	select {
	case <-ctx.Done():
		_ = term.Restore(in, before)
		return "", context.Cause(ctx)
	case a := <-said:
		return string(a.text), a.err
	}
}
