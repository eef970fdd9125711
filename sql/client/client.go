// Package client is `tarn sql`: it sends a statement to a running Tarn's /api/sql and
// shows the answer as a table, CSV, JSON lines or Arrow. It runs no SQL itself.
package client

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"tarn/embedded/fault"
)

// The bounds of the client.
const (
	tableBytesMax = 64 << 20 // of one answer shown as a table
	lineBytesMax  = 64 << 20 // of one JSON line
)

// Options of a call.
type Options struct {
	URL    string // http://host:port; empty means: found by DataDir/ports.json
	Data   string // the data folder of the running Tarn
	Format string // table, csv, json or arrow
	Out    io.Writer
}

var accepts = map[string]string{
	"table": "application/json",
	"csv":   "text/csv",
	"json":  "application/x-ndjson",
	"arrow": "application/vnd.apache.arrow.stream",
}

// Client sends statements to one Tarn.
type Client struct {
	url string
	o   Options

	upright bool // rows of tables stand as lines of cells
}

// New finds the running Tarn. Fault Unavailable when there is none.
func New(o Options) (*Client, error) {
	if o.URL != "" {
		return &Client{url: strings.TrimSuffix(o.URL, "/") + "/api/sql", o: o}, nil
	}
	content, err := os.ReadFile(filepath.Join(o.Data, "ports.json"))
	var ports map[string]string
	if err == nil {
		err = json.Unmarshal(content, &ports)
	}
	if err != nil || ports["http"] == "" {
		return nil, fault.New(fault.Unavailable, "no Tarn runs on "+o.Data,
			"start one with `tarn up`, or name it by --data DIR or --url http://127.0.0.1:7700")
	}
	return &Client{url: "http://" + ports["http"] + "/api/sql", o: o}, nil
}

// Run sends one statement and writes the answer. Errors of the server are faults with its
// code, hint and place; that of ctx where it ended first.
func (c *Client) Run(ctx context.Context, statement string) error {
	err := c.send(ctx, statement)
	if err != nil && ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

func (c *Client) send(ctx context.Context, statement string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, strings.NewReader(statement))
	if err != nil {
		return fault.Wrap(err, fault.Invalid, "call "+c.url, "write the address as http://127.0.0.1:7700")
	}
	req.Header.Set("Accept", accepts[c.o.Format])
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fault.Wrap(err, fault.Unavailable, "call "+c.url, "is it running? start it with `tarn up`")
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
		if err != nil {
			return fmt.Errorf("read answer: %w", err)
		}
		return refused(resp.Status, body)
	}
	switch c.o.Format {
	case "table":
		return c.table(resp.Body)
	case "json":
		return c.lines(resp.Body)
	default:
		_, err = io.Copy(c.o.Out, resp.Body)
		if errors.Is(err, io.ErrUnexpectedEOF) {
			return fault.New(fault.Unavailable, "the answer is not whole: the server ended it early", "take --format json, which tells the reason")
		}
		return err
	}
}

// failure is the error object of /api/sql.
type failure struct {
	Error *struct {
		Code    fault.Code `json:"code"`
		Message string     `json:"message"`
		Hint    string     `json:"hint"`
		Line    int        `json:"line"`
		Column  int        `json:"column"`
	} `json:"error"`
}

func refused(status string, body []byte) error {
	var f failure
	if json.Unmarshal(body, &f) != nil || f.Error == nil {
		return fault.Newf(fault.Internal, "is this the address of a Tarn?", "the server answered %s", status)
	}
	return f.fault()
}

func (f *failure) fault() error {
	message := f.Error.Message
	if f.Error.Line > 0 {
		message = fmt.Sprintf("line %d, column %d: %s", f.Error.Line, f.Error.Column, message)
	}
	return &fault.Error{Code: f.Error.Code, Message: message, Hint: f.Error.Hint, Line: f.Error.Line, Column: f.Error.Column}
}

// lines copies JSON lines. An error in mid-answer is the last line, an object with the
// one member "error".
func (c *Client) lines(r io.Reader) error {
	in := bufio.NewScanner(r)
	in.Buffer(nil, lineBytesMax)
	var held []byte
	for in.Scan() {
		if held != nil {
			if _, err := fmt.Fprintf(c.o.Out, "%s\n", held); err != nil {
				return err
			}
		}
		held = append(held[:0:0], in.Bytes()...)
	}
	if err := in.Err(); err != nil {
		return fmt.Errorf("read answer: %w", err)
	}
	if held == nil {
		return nil
	}
	var f failure
	if bytes.HasPrefix(held, []byte(`{"error":{"code":`)) && json.Unmarshal(held, &f) == nil && f.Error != nil && f.Error.Message != "" {
		return f.fault()
	}
	_, err := fmt.Fprintf(c.o.Out, "%s\n", held)
	return err
}

// table reads a whole answer and draws it.
func (c *Client) table(r io.Reader) error {
	body, err := io.ReadAll(io.LimitReader(r, tableBytesMax+1))
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) { // which may follow an error in the answer
		return fmt.Errorf("read answer: %w", err)
	}
	if len(body) > tableBytesMax {
		return fault.New(fault.TooLarge, "the answer is too large for a table", "add a LIMIT, or take --format csv")
	}
	var a answer
	in := json.NewDecoder(bytes.NewReader(body))
	in.UseNumber()
	if err := in.Decode(&a); err != nil {
		return errors.New("the answer is not whole: the server ended it early; see its log")
	}
	if a.Error != nil {
		return a.fault()
	}
	if c.upright {
		return a.stand(c.o.Out)
	}
	return a.draw(c.o.Out)
}
