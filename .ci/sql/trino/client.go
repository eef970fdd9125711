// Package trino asks a server by Trino's protocol, whoever's it is.
package trino

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

// Client asks as one user, within a catalog and a schema.
type Client struct{ Address, User, Catalog, Schema string }

// Column is one of an answer, with its type in Trino's words: decimal(10, 2).
type Column struct {
	Name      string
	Type      string
	Signature Signature `json:"typeSignature"`
}

// Signature is a type with its parts apart. A value of an argument is a number, a Signature or a NamedType, as Kind says.
type Signature struct {
	RawType   string
	Arguments []struct {
		Kind  string
		Value json.RawMessage
	}
}

// NamedType is a field of a row.
type NamedType struct {
	FieldName *struct{ Name string }
	Type      Signature `json:"typeSignature"`
}

// Answer is all of one.
type Answer struct {
	Columns []Column
	Rows    [][]json.RawMessage
}

// Refusal is an error that the server tells.
type Refusal struct {
	ErrorName string
	Message   string
}

func (r *Refusal) Error() string { return r.ErrorName + ": " + r.Message }

// Ask runs a statement to its end.
func (c Client) Ask(ctx context.Context, statement string) (out Answer, _ error) {
	method, url := http.MethodPost, "http://"+c.Address+"/v1/statement"
	for url != "" {
		page, err := c.page(ctx, method, url, statement)
		switch {
		case err != nil:
			return out, err
		case page.Error != nil:
			return out, page.Error
		case page.Columns != nil:
			out.Columns = page.Columns
		}
		out.Rows = append(out.Rows, page.Data...)
		method, url, statement = http.MethodGet, page.NextURI, ""
	}
	return out, nil
}

type page struct {
	NextURI string
	Columns []Column
	Data    [][]json.RawMessage
	Error   *Refusal
}

func (c Client) page(ctx context.Context, method, url, statement string) (p page, err error) {
	r, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(statement))
	if err != nil {
		return p, err
	}
	for name, value := range map[string]string{"User": c.User, "Catalog": c.Catalog, "Schema": c.Schema, "Client-Capabilities": "PARAMETRIC_DATETIME"} {
		if value != "" {
			r.Header.Set("X-Trino-"+name, value)
		}
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return p, err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return p, fmt.Errorf("%s %s: %s", method, url, resp.Status)
	}
	return p, json.NewDecoder(resp.Body).Decode(&p)
}
