-- What pages need on the site: links to pages lead to their HTML, links to other files of the repository to their copy,
-- pictures in Mermaid's language are drawn, wide tables scroll.

local page = PANDOC_STATE.input_files[1]
local folder = page:match("^(.*)/[^/]*$") or "."

-- "a/b/../c" without its dots.
local function normal(path)
  local parts = {}
  for part in path:gmatch("[^/]+") do
    if part == ".." and #parts > 0 then
      table.remove(parts)
    elseif part ~= "." then
      table.insert(parts, part)
    end
  end
  return table.concat(parts, "/")
end

local names = { ["README.md"] = "overview.html", ["src/docs/README.md"] = "index.html",
  ["CONTRIBUTING.md"] = "contributing.html", ["CHANGELOG.md"] = "changelog.html", ["SECURITY.md"] = "security.html" }

function Link(link)
  local target, anchor = link.target:match("^([^#]*)(#?.*)$")
  if target == "" or target:match("^%a+:") then
    return nil
  end
  local path = normal(folder .. "/" .. target)
  local title = path:match("^src/docs/([^/]+)%.md$")
  link.target = (names[path] or (title and title .. ".html") or "files/" .. path) .. anchor
  return link
end

function Image(image)
  if not image.src:match("^%a+:") then
    image.src = "files/" .. normal(folder .. "/" .. image.src)
  end
  return image
end

-- A flowchart of `A --> B[Name] & C`, with dotted arrows `-.->`, in Graphviz's language.
local function to_dot(text)
  local lines = { 'digraph { rankdir=LR; bgcolor=transparent; node [shape=box, style=rounded, fontname="sans-serif", fontsize=12];' }
  local function nodes_of(list)
    local nodes = {}
    for node in list:gmatch("[^&]+") do
      local name, label = node:match("^%s*(%w+)%[(.-)%]%s*$")
      name = name or node:match("^%s*(%w+)%s*$")
      if not name then
        error("no node of a flowchart: " .. node)
      end
      if label then
        table.insert(lines, string.format('%s [label="%s"];', name, label))
      end
      table.insert(nodes, name)
    end
    return nodes
  end
  for line in text:gmatch("[^\n]+") do
    if not line:match("^%s*flowchart LR") then
      local before, style = nil, ""
      for part, arrow in (line .. "-->"):gmatch("(.-)(%-%.?%->)") do
        local nodes = nodes_of(part)
        for _, from in ipairs(before or {}) do
          for _, to in ipairs(nodes) do
            table.insert(lines, string.format('%s -> %s [%s];', from, to, style))
          end
        end
        before, style = nodes, arrow == "-.->" and "style=dashed" or ""
      end
    end
  end
  table.insert(lines, "}")
  return table.concat(lines, "\n")
end

function CodeBlock(block)
  if block.classes[1] == "mermaid" then
    local svg = pandoc.pipe("dot", { "-Tsvg" }, to_dot(block.text)):gsub("^.-<svg", "<svg")
    return pandoc.RawBlock("html", '<div class="picture">' .. svg .. "</div>")
  elseif block.classes[1] == "sh" then
    block.classes[1] = "bash"
    return block
  end
end

function Table(element)
  return pandoc.Div(element, pandoc.Attr("", { "table" }))
end
