package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"

	"tarn/embedded/fault"
	"tarn/embedded/terminal"
)

// statementBytesMax bounds a statement read from stdin: /api/sql takes no larger one.
const statementBytesMax = 1 << 20

// Input runs what stdin holds: the statements of a pipe or file, or a prompt when it is a
// terminal.
func (c *Client) Input(ctx context.Context, in *os.File) error {
	if term.IsTerminal(int(in.Fd())) { //nolint:gosec // a descriptor fits
		return c.prompt(ctx, in)
	}
	text, err := io.ReadAll(io.LimitReader(in, statementBytesMax+1))
	if err != nil {
		return fmt.Errorf("read statement: %w", err)
	}
	if len(text) > statementBytesMax {
		return fault.New(fault.TooLarge, "the statement is larger than 1 MB", "send its parts one by one")
	}
	return c.Script(ctx, string(text))
}

// prompt reads statements, each ended by a semicolon, until Ctrl-D. The arrow keys walk
// the history; Tab completes keywords, tables and columns.
func (c *Client) prompt(ctx context.Context, in *os.File) error {
	fd := int(in.Fd()) //nolint:gosec // a descriptor fits
	before, err := term.MakeRaw(fd)
	if err != nil {
		return fmt.Errorf("open the terminal: %w", err)
	}
	defer func() { _ = term.Restore(fd, before) }()
	keys := &keyboard{in: in, paint: terminal.PaintOn(c.o.Out)}
	t := term.NewTerminal(struct {
		io.Reader
		io.Writer
	}{keys, c.o.Out}, "tarn> ")
	if w, h, err := term.GetSize(fd); err == nil && w > 0 {
		_ = t.SetSize(w, h)
	}
	var statement strings.Builder
	words := &completer{c: c}
	t.History = openHistory(c.o.History)
	t.AutoCompleteCallback = func(line string, pos int, key rune) (string, int, bool) {
		if key != '\t' {
			return "", 0, false
		}
		line, pos = complete(words.words(ctx, statement.String()+line), line, pos, t)
		return line, pos, true
	}
	c.o.Out = t
	_, _ = io.WriteString(t, "\\? shows what can be typed, \\q leaves\n")
	for ctx.Err() == nil {
		line, err := t.ReadLine()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if statement.WriteString(line + "\n"); keys.gone {
			keys.gone = false
			statement.Reset()
		}
		text := strings.TrimSpace(statement.String())
		t.SetPrompt("  ... ")
		if !ended(text) {
			continue
		}
		t.SetPrompt("tarn> ")
		statement.Reset()
		switch strings.TrimSuffix(strings.ToLower(text), ";") {
		case "":
		case "exit", "quit", `\q`:
			return nil
		case "help", `\?`, `\h`:
			_, _ = io.WriteString(t, help)
		case `\x`:
			c.upright = !c.upright
		default:
			c.answer(ctx, t, keys, text)
			words.changed(text)
		}
	}
	return ctx.Err()
}

// ended tells whether what was typed is to be run: a statement has its semicolon, a command
// is one line.
func ended(text string) bool {
	switch strings.ToLower(text) {
	case "", "exit", "quit", "help":
		return true
	}
	return strings.HasSuffix(text, ";") || strings.HasPrefix(text, `\`)
}

// answer runs what was typed and shows what comes of it.
func (c *Client) answer(ctx context.Context, t io.Writer, keys *keyboard, text string) {
	stopped, err := keys.during(ctx, func(ctx context.Context) error { return c.Script(ctx, text) })
	switch {
	case stopped:
		_, _ = io.WriteString(t, "canceled\n")
	case err != nil:
		_, _ = fmt.Fprintf(t, "%s %v\n", keys.paint.Red("error:"), err)
		if hint := fault.HintOf(err); hint != "" {
			_, _ = fmt.Fprintf(t, "%s %s\n", keys.paint.Yellow("hint:"), hint)
		}
	}
}
