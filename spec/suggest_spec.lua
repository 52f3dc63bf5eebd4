--- "Did you mean": which name is offered for a mistyped one.

local suggest = require "cr.suggest"

local NAMES = { "InstanceId", "RepoId", "Tag", "NamespaceName", "PageNo", "PageSize" }

describe("a suggestion", function()
  it("is the name with one letter wrong, missing, too many, or two swapped", function()
    for wrong, meant in pairs {
      InstanceIx = "InstanceId", InstanceI = "InstanceId", nstanceId = "InstanceId",
      InstanceIdd = "InstanceId", InstnaceId = "InstanceId", Tga = "Tag", Ta = "Tag",
      Tagg = "Tag", aTg = "Tag", PageNo = "PageNo", ["Page No"] = "PageNo",
    } do
      assert.equal(meant, suggest(wrong, NAMES))
    end
  end)

  it("takes no notice of case", function()
    assert.equal("InstanceId", suggest("INSTANCEID", NAMES))
    assert.equal("InstanceId", suggest("instanceid", NAMES))
    assert.equal("tag", suggest("TAG", { "tag" }))
  end)

  it("is the closest name, the first of equals", function()
    assert.equal("PageSize", suggest("PageSiz", { "PageNo", "PageSize" }))
    assert.equal("ab", suggest("ac", { "ab", "ad" }))
    assert.equal("ad", suggest("ac", { "ad", "ab" }))
    assert.equal("ac", suggest("ac", { "ab", "ac" }))
  end)

  it("allows as many mistakes as a third of the name has letters, at least one", function()
    assert.equal("abcdef", suggest("abcdxx", { "abcdef" }))
    assert.is_nil(suggest("abcxxx", { "abcdef" }))
    assert.equal("abcde", suggest("abcdx", { "abcde" }))
    assert.is_nil(suggest("abcxx", { "abcde" }))
    assert.equal("ab", suggest("ax", { "ab" }))
    assert.is_nil(suggest("xy", { "ab" }))
  end)

  it("counts swapped neighbours once, elsewhere twice", function()
    assert.equal("abc", suggest("bac", { "abc" }))
    assert.equal("abc", suggest("acb", { "abc" }))
    assert.is_nil(suggest("cba", { "abc" }))
  end)

  it("is nothing when no name is close, or there is none", function()
    assert.is_nil(suggest("Colour", NAMES))
    assert.is_nil(suggest("Tag", {}))
    assert.is_nil(suggest("", NAMES))
    assert.is_nil(suggest("InstanceId", { "" }))
    assert.is_nil(suggest("b", { "a" }))
    assert.equal("A", suggest("a", { "A" }))
  end)

  it("is nothing for a name of great length, but for one of 64 bytes", function()
    local name = ("x"):rep(64)
    assert.equal(name, suggest(name:sub(2) .. "y", { name }))
    assert.is_nil(suggest(name .. "x", { name }))
    assert.is_nil(suggest(("x"):rep(1000000), NAMES))
  end)

  it("leaves the list as it is", function()
    local list = { "b", "a" }
    suggest("a", list)
    assert.same({ "b", "a" }, list)
  end)
end)
