// Package guard answers who may do what. Every door asks it from its first
// version on, also while everyone may. It parses no protocol and stores no secret.
package guard

import (
	"cmp"
	"context"
)

// Credential is what a client showed at a door. Empty on loopback without
// authentication: any user name is let in.
type Credential struct {
	User     string
	Password string
	Token    string
	Proven   string // how the door had User proven to it, "scram"; empty: it did not
	Door     string // the name of the door, as in ports.json
	Remote   string // the client's address
}

// Principal is who a statement runs as.
type Principal struct {
	User       string
	Groups     []string
	Roles      []string
	Attributes map[string]string
	Method     string // how it was authenticated: "loopback", "scram", later "oidc"
	Door       string
}

// Action is what the principal wants to do to a resource.
type Action string

// The actions.
const (
	Read   Action = "read"
	Write  Action = "write"
	Create Action = "create"
	Drop   Action = "drop"
	Alter  Action = "alter"
)

// Kind of a resource.
type Kind string

// The kinds of resources.
const (
	Catalog  Kind = "catalog"
	Schema   Kind = "schema"
	Table    Kind = "table"
	Column   Kind = "column"
	Topic    Kind = "topic"
	Group    Kind = "group"
	Source   Kind = "source"
	Pipeline Kind = "pipeline"
)

// Resource names one thing; ID survives renames and is what tags attach to.
// Path is its name in parts, without the catalog: {"silver", "calls"} for a table.
type Resource struct {
	Kind Kind
	ID   string
	Path []string
}

// Decision is the answer. The zero Decision denies.
type Decision struct {
	Allow bool
	// Filter is a boolean DuckDB expression over the table's columns that keeps
	// the rows the principal may see; empty keeps all. It is Tarn's own text and is
	// trusted: it does not pass the walk.
	Filter string
	// Masks maps a column to the DuckDB expression shown in its place; the same trust as Filter.
	Masks     map[string]string
	PolicyIDs []string
}

// Guard authenticates and decides. Both must be safe for concurrent use.
type Guard interface {
	// Authenticate returns the principal of a credential, or a fault with code Denied.
	Authenticate(ctx context.Context, c Credential) (Principal, error)
	// Decide answers for one action on one resource; it must not block on the network.
	Decide(p Principal, a Action, r Resource) Decision
	// Version changes whenever an answer of Decide may have changed; caches key by it.
	Version() uint64
}

// Open lets everyone do everything; it is the guard of a Tarn on loopback.
type Open struct{}

// Authenticate lets any user name in; an empty one is "tarn".
func (Open) Authenticate(_ context.Context, c Credential) (Principal, error) {
	if c.User == "" {
		c.User = "tarn"
	}
	return Principal{User: c.User, Method: cmp.Or(c.Proven, "loopback"), Door: c.Door}, nil
}

// Decide allows.
func (Open) Decide(Principal, Action, Resource) Decision { return Decision{Allow: true} }

// Version never changes.
func (Open) Version() uint64 { return 1 }
