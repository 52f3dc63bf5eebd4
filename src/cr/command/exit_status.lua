--- What the command line ends with. 130 is what a shell makes of SIGINT, 141 of SIGPIPE.

local exit_status = {
  OK = 0,
  FAILED = 1, -- the service said no, or answered what is no answer
  USAGE = 2,
  CREDENTIALS = 3,
  NETWORK = 4,
  BROKEN_PIPE = 141,
}

local OF_KIND = {
  validation = exit_status.USAGE,
  credentials = exit_status.CREDENTIALS,
  transport = exit_status.NETWORK,
}

--- @tparam table err the error object of a call
function exit_status.of(err)
  return OF_KIND[err.kind] or exit_status.FAILED
end

return exit_status
