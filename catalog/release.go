package catalog

import (
	"github.com/universe-dcos/universe/resolver/constraint"
)

// Release is one version of a package as it was found in a registry.
type Release struct {
	Package    string             `json:"package"`
	Version    constraint.Version `json:"version"`
	Repository string             `json:"repository"` // host/path of the artifact's repository
	Digest     string             `json:"digest"`     // of the artifact's manifest
	Size       int64              `json:"size"`       // bytes of the artifact, images not counted
	Config     *Config            `json:"config,omitempty"`
	// Unavailable says why the release cannot be used: its artifact is broken,
	// or it is not what its place says. Config is nil then. Empty: all is well.
	Unavailable string `json:"unavailable,omitempty"`
}

// Package is all that is known under one name.
type Package struct {
	Name     string    `json:"name"`
	Releases []Release `json:"releases"` // newest first by constraint.Order
}

// Head is the release that stands for the package in lists: the newest one that
// is available, releases before prereleases. It is nil when there is none.
func (p *Package) Head() *Release {
	var pre *Release
	for i := range p.Releases {
		r := &p.Releases[i]
		switch {
		case r.Config == nil:
		case !r.Version.IsPrerelease():
			return r
		case pre == nil:
			pre = r
		}
	}
	return pre
}

// Release is the release of version v, or nil. Versions that differ in build
// metadata are different releases.
func (p *Package) Release(v constraint.Version) *Release {
	for i := range p.Releases {
		if p.Releases[i].Version.Equal(v) {
			return &p.Releases[i]
		}
	}
	return nil
}

// Versions lists the versions, newest first; unavailable ones only if all.
func (p *Package) Versions(all bool) []constraint.Version {
	out := make([]constraint.Version, 0, len(p.Releases))
	for i := range p.Releases {
		if all || p.Releases[i].Config != nil {
			out = append(out, p.Releases[i].Version)
		}
	}
	return out
}

// Listing is what a list or a search result shows of a package.
type Listing struct {
	Name        string   `json:"name"`
	Version     string   `json:"version"` // of the head release
	AppVersion  string   `json:"app_version,omitempty"`
	Summary     string   `json:"summary"`
	Keywords    []string `json:"keywords,omitempty"`
	Categories  []string `json:"categories,omitempty"`
	Licenses    []string `json:"licenses,omitempty"`
	Versions    int      `json:"versions"`              // how many can be installed
	Icon        bool     `json:"icon,omitempty"`        // it has a picture
	Unavailable string   `json:"unavailable,omitempty"` // why there is nothing to install
}

// Listing describes p by its head. A package without an available release is
// listed by its newest version with the reason.
func (p *Package) Listing() Listing {
	l := Listing{Name: p.Name, Versions: len(p.Versions(false))}
	h := p.Head()
	if h == nil {
		if len(p.Releases) > 0 {
			l.Version, l.Unavailable = p.Releases[0].Version.String(), p.Releases[0].Unavailable
		}
		return l
	}
	m := h.Config.Metadata
	l.Version, l.AppVersion, l.Summary = m.Version.String(), m.AppVersion, m.Summary
	l.Keywords, l.Categories, l.Licenses, l.Icon = m.Keywords, m.Categories, m.Licenses, m.Icon != ""
	return l
}
