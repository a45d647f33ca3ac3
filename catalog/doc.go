// Package catalog is the vocabulary of the app store: what a package says of
// itself (Metadata), the config blob that an artifact carries (Config), one
// published version (Release), all versions of a name (Package) and what a list
// shows of it (Listing).
//
// The rooms below it do the work: spec reads and renders a package's source,
// index knows what registries hold, search finds by words, plan turns a request
// into reviewable changes, api and client carry it over HTTP.
//
// Invariants:
//   - Values are immutable once they are in a snapshot of the index.
//   - JSON that is hashed is canonical (Canonical): equal values, equal bytes.
//   - Names and sizes have limits (MaxNameBytes and the constants beside it);
//     whoever decodes checks them.
package catalog
