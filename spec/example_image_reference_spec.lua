--- The parser of image references of the example admission, against the grammar's own cases.

package.path = "examples/openresty/admission/?.lua;" .. package.path

local image_reference = require "image_reference"

local HEX = ("0123456789abcdef"):rep(4)

-- reference → name as written, domain, path, tag, digest
local GOOD = {
  { "app", "app", "docker.io", "library/app" },
  { "app:1.0", "app", "docker.io", "library/app", "1.0" },
  { "team/app", "team/app", "docker.io", "team/app" },
  { "docker.io/app", "docker.io/app", "docker.io", "library/app" },
  { "index.docker.io/team/app", "index.docker.io/team/app", "docker.io", "team/app" },
  { "images.example.com/team/app:1.0", "images.example.com/team/app", "images.example.com",
    "team/app", "1.0" },
  { "images.example.com/a/b/c/d", "images.example.com/a/b/c/d", "images.example.com", "a/b/c/d" },
  { "images.example.com:5000/team/app", "images.example.com:5000/team/app",
    "images.example.com:5000", "team/app" },
  { "images.example.com:5000/team/app:1.0", "images.example.com:5000/team/app",
    "images.example.com:5000", "team/app", "1.0" },
  { "images.example.com:443/team/app", "images.example.com:443/team/app", "images.example.com",
    "team/app" },
  { "Images.Example.COM/team/app", "Images.Example.COM/team/app", "images.example.com",
    "team/app" },
  { "LOCAL/app", "LOCAL/app", "local", "app" },
  { "localhost/app", "localhost/app", "localhost", "app" },
  { "localhost:5000", "localhost", "docker.io", "library/localhost", "5000" },
  { "localhost:5000/app", "localhost:5000/app", "localhost:5000", "app" },
  { "127.0.0.1:5000/app:1", "127.0.0.1:5000/app", "127.0.0.1:5000", "app", "1" },
  { "[::1]/app", "[::1]/app", "[::1]", "app" },
  { "[fe80::1]:5000/app:1", "[fe80::1]:5000/app", "[fe80::1]:5000", "app", "1" },
  { "a.b/app@sha256:" .. HEX, "a.b/app", "a.b", "app", nil, "sha256:" .. HEX },
  { "a.b/app:1@sha256:" .. HEX, "a.b/app", "a.b", "app", "1", "sha256:" .. HEX },
  { "a.b/app@sha512:" .. HEX:rep(2), "a.b/app", "a.b", "app", nil, "sha512:" .. HEX:rep(2) },
  { "a.b/a_b/c__d/e-f/g---h/i.j", "a.b/a_b/c__d/e-f/g---h/i.j", "a.b", "a_b/c__d/e-f/g---h/i.j" },
  { "app:_", "app", "docker.io", "library/app", "_" },
  { "app:" .. ("T"):rep(128), "app", "docker.io", "library/app", ("T"):rep(128) },
  { "a.b/" .. ("a"):rep(255), "a.b/" .. ("a"):rep(255), "a.b", ("a"):rep(255) },
  { HEX:sub(2), HEX:sub(2), "docker.io", "library/" .. HEX:sub(2) },
  { "a.b/" .. HEX, "a.b/" .. HEX, "a.b", HEX },
  { HEX .. ":1", HEX, "docker.io", "library/" .. HEX, "1" },
}

local NAME = "its repository is not a name"
local TAG = "its tag is not a name"
local DIGEST = "its digest is not sha256:, sha384: or sha512: with all digits"
local DOMAIN = "its registry is not a host name"
local CASE = "its repository has upper-case letters"

local BAD = {
  { "", "no image is named" },
  { HEX, "it is the id of an image" },
  { "a.b/" .. ("a/"):rep(600), "it is too long" },
  { "a.b/" .. ("a"):rep(256), NAME },
  { "App", CASE }, { "a.b/Team/app", CASE }, { "team/App", CASE },
  { "a.b/", NAME }, { "/app", NAME }, { "a.b//app", NAME }, { "team//app", NAME },
  { "a.b/app/", NAME }, { ":1", NAME }, { "@sha256:" .. HEX, NAME },
  { " app", NAME }, { "app ", NAME }, { "app\n", NAME }, { "app\0", NAME }, { "äpp", NAME },
  { "-app", NAME }, { "app-", NAME }, { "a..b", NAME }, { "a___b", NAME }, { "a._b", NAME },
  { "a-_b", NAME }, { "a:b:c", NAME },
  { "app:", TAG }, { "app:.1", TAG }, { "app:-1", TAG }, { "app:a+b", TAG },
  { "app:" .. ("T"):rep(129), TAG },
  { "app@", DIGEST }, { "app@sha256:" .. HEX:sub(2), DIGEST },
  { "app@sha256:" .. HEX .. "0", DIGEST },
  { "app@sha256:" .. HEX:upper(), DIGEST }, { "app@" .. HEX, DIGEST },
  { "app@md5:" .. HEX:sub(1, 32), DIGEST }, { "app@sha256:" .. HEX .. "@sha256:" .. HEX, DIGEST },
  { "https://a.b/app", DOMAIN }, { "a..b/app", DOMAIN }, { "a.b./app", DOMAIN },
  { "-a.b/app", DOMAIN }, { "a-.b/app", DOMAIN },
  { "a_b.c/app", DOMAIN }, { "a.b:/app", DOMAIN }, { "a.b:x/app", DOMAIN },
  { "a.b:1:2/app", DOMAIN }, { "[::g]/app", DOMAIN }, { "::1/app", DOMAIN },
  { "user@a.b/app", DIGEST },
}

describe("image_reference.parse", function()
  for _, case in ipairs(GOOD) do
    it("takes apart " .. case[1]:sub(1, 60), function()
      assert.same({
        name = case[2], domain = case[3], path = case[4], tag = case[5], digest = case[6],
      }, (assert(image_reference.parse(case[1]))))
    end)
  end

  for _, case in ipairs(BAD) do
    it(("refuses %q"):format(case[1]:sub(1, 60)), function()
      assert.same({ n = 2, nil, case[2] },
        { n = 2, image_reference.parse(case[1]) })
    end)
  end

  it("refuses what is no string", function()
    for _, value in ipairs { 1, true, {} } do
      local reference, problem = image_reference.parse(value)
      assert.is_nil(reference)
      assert.equal("no image is named", problem)
    end
  end)
end)
