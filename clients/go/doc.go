// Package keyward verifies API keys with Keyward, and manages them.
//
// A Client may be shared by any number of goroutines; what they ask at the same time shares a call.
package keyward
