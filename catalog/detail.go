package catalog

import "encoding/json"

// Detail is all that a page on a release shows.
type Detail struct {
	Package    Metadata        `json:"package"` // package.yaml, with its keys
	Repository string          `json:"repository"`
	Digest     string          `json:"digest"` // of the artifact
	Size       int64           `json:"size"`   // bytes of the artifact, images not counted
	Images     []Image         `json:"images,omitempty"`
	Actions    []Action        `json:"actions,omitempty"`
	Versions   []VersionInfo   `json:"versions"`            // all of the package, newest first
	Readme     string          `json:"readme,omitempty"`    // Markdown, not to be trusted
	Changelog  string          `json:"changelog,omitempty"` // Markdown, not to be trusted
	Schema     json.RawMessage `json:"schema,omitempty"`    // config.schema.json
}

// VersionInfo is a release in a list of versions.
type VersionInfo struct {
	Version     string `json:"version"`
	AppVersion  string `json:"app_version,omitempty"`
	Digest      string `json:"digest"`
	Unavailable string `json:"unavailable,omitempty"` // why it cannot be installed
}

// VersionInfos lists the releases of p, newest first.
func (p *Package) VersionInfos() []VersionInfo {
	out := make([]VersionInfo, 0, len(p.Releases))
	for i := range p.Releases {
		r := &p.Releases[i]
		v := VersionInfo{Version: r.Version.String(), Digest: r.Digest, Unavailable: r.Unavailable}
		if r.Config != nil {
			v.AppVersion = r.Config.AppVersion
		}
		out = append(out, v)
	}
	return out
}

// Results is an answer to a search.
type Results struct {
	Items []Listing `json:"items"`
	Total int       `json:"total"` // how many there are; Items may be a part
	// Fuzzy says that nothing has the words as they were typed: Items are
	// near them.
	Fuzzy bool `json:"fuzzy,omitempty"`
	// DidYouMean lists names near the query when Items is empty.
	DidYouMean []string `json:"did_you_mean,omitempty"`
}
