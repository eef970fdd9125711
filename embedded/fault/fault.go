// Package fault holds the errors that a person reads: what could not be done,
// to what, and the next step. It is not for errors that only code compares;
// those are sentinels at their contract.
package fault

import (
	"errors"
	"fmt"
)

// Code classes a fault; each door maps it to its protocol's own code in one function.
type Code string

// The codes in use. A new one needs a line in every door's mapping.
const (
	Invalid     Code = "invalid"     // the request or the file is wrong; sending it again will not help
	Syntax      Code = "syntax"      // a statement that does not parse
	Denied      Code = "denied"      // not allowed for this principal, or for anyone
	NotFound    Code = "not_found"   // the named thing does not exist
	Exists      Code = "exists"      // the named thing exists already
	Conflict    Code = "conflict"    // somebody else changed it first
	Unavailable Code = "unavailable" // try again later; nothing was lost
	NoSpace     Code = "no_space"    // the disk has less room than disk.reserve
	TooLarge    Code = "too_large"   // above a documented limit
	Timeout     Code = "timeout"     // took longer than its limit
	Canceled    Code = "canceled"    // the asker went away
	Damaged     Code = "damaged"     // data on disk is not what was written
	PortTaken   Code = "port_taken"  // a port that the user set is in use
	Locked      Code = "locked"      // the data folder belongs to another Tarn
	Internal    Code = "internal"    // a defect of Tarn
)

// Error is a fault with a hint. Message says what could not be done to what;
// Hint says what a person does next. Line and Column, from 1, point into a
// statement's text; 0 means unknown.
type Error struct {
	Code    Code
	Message string
	Hint    string
	Line    int
	Column  int
	Err     error
}

// New returns a fault. The hint may be empty where the message says it all.
func New(code Code, message, hint string) *Error {
	return &Error{Code: code, Message: message, Hint: hint}
}

// Wrap is New with a cause, which Error appends and errors.Is sees.
func Wrap(err error, code Code, message, hint string) *Error {
	return &Error{Code: code, Message: message, Hint: hint, Err: err}
}

// Newf is New with a formatted message.
func Newf(code Code, hint, format string, args ...any) *Error {
	return New(code, fmt.Sprintf(format, args...), hint)
}

func (e *Error) Error() string {
	if e.Err != nil {
		return e.Message + ": " + e.Err.Error()
	}
	return e.Message
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// CodeOf returns the code of the outermost fault in err, Internal for any
// other error and "" for nil.
func CodeOf(err error) Code {
	if err == nil {
		return ""
	}
	if f, ok := errors.AsType[*Error](err); ok {
		return f.Code
	}
	return Internal
}

// HintOf returns the first hint in err's chain, or what helps a disk that takes no writes,
// or "".
func HintOf(err error) string {
	for cause := err; ; {
		f, ok := errors.AsType[*Error](cause)
		if !ok {
			return diskHint(err)
		}
		if f.Hint != "" {
			return f.Hint
		}
		cause = f.Err
	}
}

// Full tells whether an error is one of a disk that takes no writes: it has no room, or a
// quota is used up, or it is read-only.
func Full(err error) bool { return CodeOf(err) == NoSpace || diskHint(err) != "" }
