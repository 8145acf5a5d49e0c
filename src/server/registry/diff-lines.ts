import { diffArrays } from 'diff'
import type { DiffLine } from '../../protocol/agent-views.ts'
import { visibleText } from '../../protocol/visible-text.ts'

/** Unchanged lines shown beside each change. */
const CONTEXT = 3
/** Of one run of added or removed lines; the whole text is beside every comparison. */
const LONGEST_RUN = 2_000

type Run = { readonly op: 'same' | 'add' | 'remove'; readonly lines: readonly string[] }

/**
 * Compares two texts by lines; empty where they are the same. Beyond `maxEdits` changed lines, whose cost grows with
 * their square, the whole text is removed and added: two long texts cannot stall the process (attacks.md 112).
 */
export function diffLines(before: string, after: string, maxEdits: number): DiffLine[] {
  if (before === after) return []
  const [old, next] = [linesOf(before), linesOf(after)]
  const changes = diffArrays(old, next, { maxEditLength: maxEdits })
  const runs: Run[] = changes
    ? changes.map(({ added, removed, value }) => ({ op: added ? 'add' : removed ? 'remove' : 'same', lines: value }))
    : [
        { op: 'remove', lines: old },
        { op: 'add', lines: next },
      ]
  return runs.flatMap((run, at) => (run.op === 'same' ? unchanged(run, at, runs.length) : changed(run)))
}

/** An empty text has no lines, so that all of a new one is added. */
function linesOf(text: string): string[] {
  return text === '' ? [] : text.split('\n')
}

function changed({ op, lines }: Run): DiffLine[] {
  const left = lines.length - LONGEST_RUN
  const shown = lines.slice(0, LONGEST_RUN).map(line => ({ op, text: visibleText(line) }))
  return left > 0 ? [...shown, skip(`${left} more lines ${op === 'add' ? 'added' : 'removed'}`)] : shown
}

/** Of what did not change only what stands beside a change. */
function unchanged({ lines }: Run, at: number, runs: number): DiffLine[] {
  const head = at === 0 ? 0 : CONTEXT
  const tail = at === runs - 1 ? 0 : CONTEXT
  const show = (part: readonly string[]) => part.map(line => ({ op: 'same' as const, text: visibleText(line) }))
  const left = lines.length - head - tail
  if (left <= 1) return show(lines)
  return [...show(lines.slice(0, head)), skip(`${left} unchanged lines`), ...show(lines.slice(lines.length - tail))]
}

function skip(text: string): DiffLine {
  return { op: 'skip', text }
}
