package image

import "time"

// Limits on what a recipe and its artifacts may hold. They are far above what a
// package needs; what is over them is a mistake or an attack.
const (
	// MaxRecipeBytes bounds a recipe file and a Maven project file.
	MaxRecipeBytes = 256 << 10
	// MaxItems bounds every list and map of a recipe.
	MaxItems = 512
	// MaxLayers bounds the layers of an image.
	MaxLayers = 32
	// MaxStringBytes bounds one string of a recipe, inline file content included.
	MaxStringBytes = 64 << 10
	// MaxFiles bounds the entries of one layer.
	MaxFiles = 100_000
	// MaxLayerBytes bounds the unpacked content of one layer.
	MaxLayerBytes = 4 << 30
	// MaxFileBytes bounds one file of a layer, and one archive that is downloaded.
	MaxFileBytes = 2 << 30
	// MaxScanBytes bounds what is read of one archive in search of the selected
	// members; it stops an archive that unpacks without end.
	MaxScanBytes = 8 << 30
	// MaxPathBytes bounds one path in a layer and the target of a link.
	MaxPathBytes = 1024
	// MaxLocalBytes bounds one file that a recipe brings from its own folder.
	MaxLocalBytes = 64 << 20
	// MaxIndexBytes bounds an entry of the layer cache's index.
	MaxIndexBytes = 256 << 10
	// MaxToolOutput is how much of a tool's output is kept; the end counts.
	MaxToolOutput = 16 << 10
	// MaxToolTime bounds one run of an external tool.
	MaxToolTime = 20 * time.Minute
	// DownloadTries is how often a download is tried before it fails.
	DownloadTries = 3
	// retryAfter is the pause before the second try; it doubles with each try.
	retryAfter = time.Second
)
