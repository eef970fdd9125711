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
	"strings"

	"tarn/embedded/door"
	"tarn/embedded/fault"
	"tarn/embedded/terminal"
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
	// Bar counts what was written, where Out is no terminal; nil for none.
	Bar *terminal.Bar
	// History keeps what was typed at the prompt, in the file of this path; "" for this prompt alone.
	History string
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
	ports, err := door.Find(o.Data)
	if err != nil {
		return nil, err
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
	if f, ok := errors.AsType[*fault.Error](err); ok && f.Line > 0 {
		told := *f
		told.Message = fmt.Sprintf("line %d, column %d: %s", f.Line, f.Column, f.Message)
		return &told
	}
	return err
}

func (c *Client) send(ctx context.Context, statement string) (err error) {
	body, err := c.post(ctx, statement, accepts[c.o.Format])
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, body.Close()) }()
	switch c.o.Format {
	case "table":
		return c.table(body)
	case "json":
		return c.lines(body)
	default:
		_, err = io.Copy(c.out(), body)
		if errors.Is(err, io.ErrUnexpectedEOF) {
			return fault.New(fault.Unavailable, "the answer is not whole: the server ended it early", "take --format json, which tells the reason")
		}
		return err
	}
}

// post sends a statement; the caller closes the answer.
func (c *Client) post(ctx context.Context, statement, accept string) (io.ReadCloser, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, strings.NewReader(statement))
	if err != nil {
		return nil, fault.Wrap(err, fault.Invalid, "call "+c.url, "write the address as http://127.0.0.1:7700")
	}
	req.Header.Set("Accept", accept)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, fault.Wrap(err, fault.Unavailable, "call "+c.url, "is it running? start it with `tarn up`")
	}
	if resp.StatusCode == http.StatusOK {
		return resp.Body, nil
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return nil, fmt.Errorf("read answer: %w", err)
	}
	return nil, refused(resp.Status, body)
}

// Record is a row by the names of its columns. Numbers are json.Number, null is nil.
type Record map[string]any

// Text is a value as text; "" for null.
func (r Record) Text(column string) string {
	if r[column] == nil {
		return ""
	}
	return fmt.Sprint(r[column])
}

// Int is a whole number; 0 for null and what is none.
func (r Record) Int(column string) int64 {
	if n, ok := r[column].(json.Number); ok {
		i, _ := n.Int64() // else 0
		return i
	}
	return 0
}

// Records runs one statement and returns its rows. Errors are as Run's; where they have a place it is in Line and Column alone.
func (c *Client) Records(ctx context.Context, statement string) (_ []Record, err error) {
	body, err := c.post(ctx, statement, accepts["table"])
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, body.Close()) }()
	a, err := read(body)
	if err != nil {
		return nil, err
	}
	out := make([]Record, len(a.Rows))
	for i, row := range a.Rows {
		out[i] = Record{}
		for n := range min(len(row), len(a.Columns)) {
			out[i][a.Columns[n].Name] = row[n]
		}
	}
	return out, nil
}

// out is where answers go that are not drawn.
func (c *Client) out() io.Writer {
	if c.o.Bar == nil {
		return c.o.Out
	}
	return &counter{out: c.o.Out, bar: c.o.Bar}
}

// counter tells a bar how much went through.
type counter struct {
	out   io.Writer
	bar   *terminal.Bar
	bytes int64
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.out.Write(p)
	c.bytes += int64(n)
	c.bar.Set("KB written", c.bytes>>10, 0)
	return n, err
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
	return &fault.Error{Code: f.Error.Code, Message: f.Error.Message, Hint: f.Error.Hint, Line: f.Error.Line, Column: f.Error.Column}
}

// lines copies JSON lines. An error in mid-answer is the last line, an object with the
// one member "error".
func (c *Client) lines(r io.Reader) error {
	in := bufio.NewScanner(r)
	in.Buffer(nil, lineBytesMax)
	var held []byte
	out := c.out()
	for in.Scan() {
		if held != nil {
			if _, err := fmt.Fprintf(out, "%s\n", held); err != nil {
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
	_, err := fmt.Fprintf(out, "%s\n", held)
	return err
}

// table reads a whole answer and draws it.
func (c *Client) table(r io.Reader) error {
	a, err := read(r)
	if err != nil {
		return err
	}
	if c.upright {
		return a.stand(c.o.Out)
	}
	return a.draw(c.o.Out)
}

// read reads a whole answer.
func read(r io.Reader) (*answer, error) {
	body, err := io.ReadAll(io.LimitReader(r, tableBytesMax+1))
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) { // which may follow an error in the answer
		return nil, fmt.Errorf("read answer: %w", err)
	}
	if len(body) > tableBytesMax {
		return nil, fault.New(fault.TooLarge, "the answer is too large for a table", "add a LIMIT, or take --format csv")
	}
	a := &answer{}
	in := json.NewDecoder(bytes.NewReader(body))
	in.UseNumber()
	if err := in.Decode(a); err != nil {
		return nil, fault.New(fault.Unavailable, "the answer is not whole: the server ended it early", "see its log")
	}
	if a.Error != nil {
		return nil, a.fault()
	}
	return a, nil
}
