--- What the client calls itself, unless it is told otherwise: version, interpreter, libcurl.

local core = require "cr.core"

return ("cr/%s (%s) libcurl/%s"):format(require "cr.version",
  rawget(_G, "jit") and rawget(_G, "jit").version or _VERSION, core.libcurl_version)
