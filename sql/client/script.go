package client

import (
	"context"
	"strings"

	"tarn/embedded/fault"
	"tarn/embedded/sqltext"
)

// help is what \? shows.
const help = `a statement ends with a semicolon and may have many lines
  \dt          tables and views (SHOW TABLES)
  \d TABLE     columns of a table (DESCRIBE)
  \dn          schemas (SHOW SCHEMAS)
  \x           a line for each cell, for wide rows; again for tables
  \q           leave; so do exit, quit and Ctrl-D
  \?           this list; so does help
  Up, Down     walk through what was typed before
  Tab          completes words, tables and columns; Ctrl-C stops a statement that runs
`

// Script runs the statements of a text one after the other, up to the first that fails. Of
// psql's commands it knows those that list tables.
func (c *Client) Script(ctx context.Context, text string) error {
	text, err := spelled(text)
	if err != nil {
		return err
	}
	all, err := sqltext.Split(text)
	if err != nil || len(all) < 2 || c.o.Format == "arrow" { // two Arrow streams are no stream
		return c.Run(ctx, text) // the server says what is wrong
	}
	for _, s := range all {
		if err := c.Run(ctx, blanked(text[:s.Offset])+s.Text); err != nil {
			return err
		}
	}
	return nil
}

// spelled is a command of psql's as a statement; any other text stays what it is.
func spelled(text string) (string, error) {
	trimmed := strings.TrimSuffix(strings.TrimSpace(text), ";")
	if !strings.HasPrefix(trimmed, `\`) {
		return text, nil
	}
	verb, name, _ := strings.Cut(trimmed, " ")
	name = strings.TrimSpace(name)
	switch {
	case verb == `\d` && name != "":
		return "DESCRIBE " + name, nil
	case (verb == `\dt` || verb == `\d` || verb == `\dv`) && name == "":
		return "SHOW TABLES", nil
	case (verb == `\dn` || verb == `\l`) && name == "":
		return "SHOW SCHEMAS", nil
	}
	return "", fault.New(fault.Invalid, "there is no command "+trimmed, `\dt lists tables, \d TABLE its columns, \? in the prompt shows all`)
}

// blanked is a text with blanks in place of all but line ends, so that places behind it stay
// what they are.
func blanked(text string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' {
			return r
		}
		return ' '
	}, text)
}
