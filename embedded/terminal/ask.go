package terminal

import (
	"bufio"
	"context"
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
