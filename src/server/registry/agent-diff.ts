import { diffArrays } from 'diff'
import type { ComponentsDiff } from '../../protocol/agent-views.ts'
import { visibleName } from '../../protocol/visible-text.ts'
import type { StoredComponents } from './components.ts'
import { diffLines, diffRoom } from './diff-lines.ts'
import { readableJson } from './readable-json.ts'

type ToolChange = ComponentsDiff['tools'][number]['change']

/** Changed lines that one comparison follows; what grows with their square stays the same however many tools change. */
const MAX_EDITS = 1_000

/**
 * What changed from one version to the next, for whoever decides about it: the prompt by lines, tools by name, tools and
 * configuration as JSON with sorted members. All text is visible text. Parts that are the same are empty.
 */
export function diffComponents(before: StoredComponents, after: StoredComponents): ComponentsDiff {
  return {
    prompt: diffLines(before.prompt_template, after.prompt_template, MAX_EDITS, diffRoom()),
    tools: diffTools(before.tools, after.tools),
    configuration: diffLines(
      readableJson(before.configuration),
      readableJson(after.configuration),
      MAX_EDITS,
      diffRoom(),
    ),
  }
}

type Tools = StoredComponents['tools']

function diffTools(before: Tools, after: Tools): ComponentsDiff['tools'] {
  const [old, next] = [textsOf(before), textsOf(after)]
  const changes = changesOf(old, next)
  const maxEdits = Math.floor(MAX_EDITS / Math.sqrt(Math.max(1, changes.length)))
  const room = diffRoom()
  return changes.map(({ name, change }) => ({
    name: visibleName(name),
    change,
    lines: diffLines(old.get(name) ?? '', next.get(name) ?? '', maxEdits, room),
  }))
}

function textsOf(tools: Tools): ReadonlyMap<string, string> {
  return new Map(tools.map(tool => [tool.name, readableJson(tool)]))
}

/** In the order of the new version; what was removed comes last. */
function changesOf(
  old: ReadonlyMap<string, string>,
  next: ReadonlyMap<string, string>,
): { name: string; change: ToolChange }[] {
  const moved = movedNames([...old.keys()], [...next.keys()])
  const changes = [...next].map(([name, text]) => ({ name, change: changeOf(old.get(name), text, moved.has(name)) }))
  const removed = [...old.keys()].filter(name => !next.has(name)).map(name => ({ name, change: 'removed' as const }))
  return [...changes.flatMap(({ name, change }) => (change ? [{ name, change }] : [])), ...removed]
}

function changeOf(old: string | undefined, next: string, moved: boolean): ToolChange | undefined {
  if (old === undefined) return 'added'
  if (old !== next) return 'changed'
  return moved ? 'moved' : undefined
}

/** The fewest tools whose moving makes one order the other: their order counts in profile `jcs`. */
function movedNames(old: string[], next: string[]): ReadonlySet<string> {
  const changes = diffArrays(old, next)
  const removed = new Set(changes.flatMap(({ removed, value }) => (removed ? value : [])))
  return new Set(changes.flatMap(({ added, value }) => (added ? value.filter(name => removed.has(name)) : [])))
}
