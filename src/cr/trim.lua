--- A text without the blanks at its ends, in a time that grows with its length alone: the usual
-- patterns (`%s+$`, `(.-)%s*$`) take the square of it on texts with long runs of blanks, and texts
-- of other sides are as they please.
return function(text)
  return text:match("^%s*(.*%S)") or ""
end
