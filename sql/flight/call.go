//go:build duckdb_arrow

package flight

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"strings"
	"time"

	arrowflight "github.com/apache/arrow-go/v18/arrow/flight"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"tarn/embedded/fault"
	"tarn/embedded/guard"
)

const (
	// tokenMax is how long a token is good: then its client shows its password again.
	tokenMax    = 24 * time.Hour
	tokenPrefix = "tarn1."
	// allocateMax is the most that a client's message may ask for at once: a compressed one tells by itself how long it is.
	allocateMax = 4 * messageBytesMax
)

type whoKey struct{}

// whoOf is the principal of a call.
func whoOf(ctx context.Context) guard.Principal {
	who, _ := ctx.Value(whoKey{}).(guard.Principal) // the zero one may nothing
	return who
}

func remoteOf(ctx context.Context) string {
	if p, ok := peer.FromContext(ctx); ok {
		return p.Addr.String()
	}
	return ""
}

// unary and stream stand before every call: they find out whose it is, and make of any error a status.
func (d *Door) unary(ctx context.Context, request any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (answer any, err error) {
	defer func() { err = d.ended(info.FullMethod, recover(), err) }()
	who, err := d.authenticate(ctx)
	if err != nil {
		return nil, err
	}
	return handle(context.WithValue(ctx, whoKey{}, who), request)
}

func (d *Door) stream(server any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handle grpc.StreamHandler) (err error) {
	defer func() { err = d.ended(info.FullMethod, recover(), err) }()
	who, err := d.authenticate(stream.Context())
	if err != nil {
		return err
	}
	return handle(server, &known{stream, context.WithValue(stream.Context(), whoKey{}, who)})
}

// known is a stream of which it is known whose it is.
type known struct {
	grpc.ServerStream
	ctx context.Context //nolint:containedctx // gRPC's own way
}

func (k *known) Context() context.Context { return k.ctx }

func (d *Door) ended(method string, panicked any, err error) error {
	switch p := panicked.(type) {
	case nil:
	case *fault.Error: // of bounded
		err = p
	default:
		d.o.Log.Error("call failed", "method", method, "panic", panicked, "stack", string(debug.Stack()))
		err = fault.New(fault.Invalid, "the call could not be understood", "see Tarn's log")
	}
	if err == nil {
		return nil
	}
	err = statusOf(err)
	d.refused.WithLabelValues(status.Code(err).String()).Inc()
	return err
}

// grpcCodes are gRPC's codes of errors for Tarn's.
var grpcCodes = map[fault.Code]codes.Code{
	fault.Invalid: codes.InvalidArgument, fault.Syntax: codes.InvalidArgument, fault.Denied: codes.PermissionDenied, fault.NotFound: codes.NotFound,
	fault.Exists: codes.AlreadyExists, fault.Conflict: codes.Aborted, fault.Unavailable: codes.Unavailable, fault.NoSpace: codes.ResourceExhausted,
	fault.TooLarge: codes.ResourceExhausted, fault.Timeout: codes.DeadlineExceeded, fault.Canceled: codes.Canceled, fault.Damaged: codes.DataLoss,
}

// statusOf is an error as gRPC's clients read it; its text has the place in the statement and the hint.
func statusOf(err error) error {
	f, ok := errors.AsType[*fault.Error](err)
	if !ok {
		if s, ok := status.FromError(err); ok {
			return s.Err()
		}
		return status.FromContextError(err).Err()
	}
	code, ok := grpcCodes[f.Code]
	if !ok {
		code = codes.Internal
	}
	text := f.Message
	if f.Line > 0 {
		text += fmt.Sprintf(" (line %d, column %d)", f.Line, f.Column)
	}
	if f.Hint != "" {
		text += "; " + f.Hint
	}
	return status.Error(code, text)
}

// authenticate finds out whose a call is: by a user and a password, a token of a handshake, or another token.
func (d *Door) authenticate(ctx context.Context) (guard.Principal, error) {
	shown := guard.Credential{Door: doorName, Remote: remoteOf(ctx)}
	for _, value := range metadata.ValueFromIncomingContext(ctx, "authorization") {
		if basic, ok := cutFold(value, "Basic "); ok {
			pair, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(basic, "="))
			if err != nil {
				return guard.Principal{}, status.Error(codes.Unauthenticated, "the header authorization is no user with a password")
			}
			shown.User, shown.Password, _ = strings.Cut(string(pair), ":")
		}
		if bearer, ok := cutFold(value, "Bearer "); ok {
			if strings.HasPrefix(bearer, tokenPrefix) {
				return d.unseal(bearer)
			}
			shown.Token = bearer
		}
	}
	who, err := d.o.Guard.Authenticate(ctx, shown)
	if fault.CodeOf(err) == fault.Denied {
		return who, status.Error(codes.Unauthenticated, err.Error())
	}
	return who, err
}

func cutFold(s, prefix string) (string, bool) {
	if len(s) < len(prefix) || !strings.EqualFold(s[:len(prefix)], prefix) {
		return "", false
	}
	return s[len(prefix):], true
}

// handshaking answers a handshake with a token, which the client shows from then on.
type handshaking struct {
	arrowflight.FlightServer
	door *Door
}

// Handshake is one of a client that has shown a user and a password in its headers.
func (h *handshaking) Handshake(stream arrowflight.FlightService_HandshakeServer) error {
	token, err := h.door.seal(whoOf(stream.Context()))
	if err != nil {
		return err
	}
	return stream.SendHeader(metadata.Pairs("authorization", "Bearer "+token))
}

// sealed is what a token holds.
type sealed struct {
	Who   guard.Principal
	Until time.Time
}

func (d *Door) seal(who guard.Principal) (string, error) {
	content, err := json.Marshal(sealed{who, d.o.Gate.Now().Add(tokenMax)})
	if err != nil {
		return "", err
	}
	return tokenPrefix + base64.RawURLEncoding.EncodeToString(append(d.mac(content), content...)), nil
}

func (d *Door) unseal(token string) (guard.Principal, error) {
	raw, err := base64.RawURLEncoding.DecodeString(token[len(tokenPrefix):])
	var s sealed
	if err == nil && len(raw) > sha256.Size && hmac.Equal(raw[:sha256.Size], d.mac(raw[sha256.Size:])) {
		err = json.Unmarshal(raw[sha256.Size:], &s)
	}
	if err != nil || !d.o.Gate.Now().Before(s.Until) {
		return guard.Principal{}, status.Error(codes.Unauthenticated, "the token is not, or no longer, one of this Tarn; connect again")
	}
	return s.Who, nil
}

func (d *Door) mac(content []byte) []byte {
	m := hmac.New(sha256.New, d.key[:])
	m.Write(content)
	return m.Sum(nil)
}

// bounded allocates for what clients send.
type bounded struct{ memory.Allocator }

// Allocate panics with a fault, which ended knows, where too much is asked for.
func (b bounded) Allocate(size int) []byte {
	b.check(size)
	return b.Allocator.Allocate(size)
}

// Reallocate is as Allocate.
func (b bounded) Reallocate(size int, from []byte) []byte {
	b.check(size)
	return b.Allocator.Reallocate(size, from)
}

func (bounded) check(size int) {
	if size < 0 || size > allocateMax {
		panic(fault.Newf(fault.TooLarge, "send fewer values", "a message asks for %d bytes", size))
	}
}
