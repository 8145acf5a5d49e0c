import { diffArrays } from 'diff'
import type { DiffLine } from '../../protocol/agent-views.ts'
import { visibleText } from '../../protocol/visible-text.ts'
import { bytesOf } from './visible-within.ts'

/** Unchanged lines shown beside each change. */
const CONTEXT = 3
/** Of one run of added or removed lines; the whole text is beside every comparison. */
const LONGEST_RUN = 2_000
/** UTF-16 units shown of one line; then it says how many characters are left out. */
const LONGEST_LINE = 20_000
/** What a line takes in an answer beside its text. */
const LINE_BYTES = 24

type Op = 'same' | 'add' | 'remove'
type Row = { readonly op: DiffLine['op']; readonly text: string }
type Run = { readonly op: Op; readonly lines: readonly string[] }

/** Bytes of an answer that are left for lines of each kind: what is removed leaves what is added its own. */
export type DiffRoom = Record<Op, number>

export function diffRoom(): DiffRoom {
  return { same: 32_000, add: 96_000, remove: 96_000 }
}

/**
 * Compares two texts by lines; empty where they are the same. Beyond `maxEdits` changed lines, whose cost grows with
 * their square, the whole text is removed and added: two long texts cannot stall the process (attacks.md 112). Takes
 * what it shows from `room`; lines that find none are counted.
 */
export function diffLines(before: string, after: string, maxEdits: number, room: DiffRoom): DiffLine[] {
  if (before === after) return []
  const runs = runsOf(linesOf(before), linesOf(after), maxEdits)
  return shownWithin(
    room,
    runs.flatMap((run, at) => (run.op === 'same' ? unchanged(run, at, runs.length) : changed(run))),
  )
}

/** Each different line is compared as its number: equal lines may be long. */
function runsOf(old: readonly string[], next: readonly string[], maxEdits: number): Run[] {
  const whole: Run[] = [
    { op: 'remove', lines: old },
    { op: 'add', lines: next },
  ]
  if (Math.abs(old.length - next.length) > maxEdits) return whole
  const numbers = new Map<string, number>()
  const numbered = (lines: readonly string[]) =>
    lines.map(line => {
      const number = numbers.get(line) ?? numbers.size
      numbers.set(line, number)
      return number
    })
  const changes = diffArrays(numbered(old), numbered(next), { maxEditLength: maxEdits })
  if (!changes) return whole
  const lines = [...numbers.keys()]
  return changes.map(({ added, removed, value }) => ({
    op: added ? 'add' : removed ? 'remove' : 'same',
    lines: value.map(number => lines[number] ?? ''),
  }))
}

/** An empty text has no lines, so that all of a new one is added. */
function linesOf(text: string): string[] {
  return text === '' ? [] : text.split('\n')
}

function changed({ op, lines }: Run): Row[] {
  const left = lines.length - LONGEST_RUN
  const shown = lines.slice(0, LONGEST_RUN).map(text => ({ op, text }))
  return left > 0 ? [...shown, skip(`${left} more lines ${op === 'add' ? 'added' : 'removed'}`)] : shown
}

/** Of what did not change only what stands beside a change. */
function unchanged({ op, lines }: Run, at: number, runs: number): Row[] {
  const head = at === 0 ? 0 : CONTEXT
  const tail = at === runs - 1 ? 0 : CONTEXT
  const show = (part: readonly string[]) => part.map(text => ({ op, text }))
  const left = lines.length - head - tail
  if (left <= 1) return show(lines)
  return [...show(lines.slice(0, head)), skip(`${left} unchanged lines`), ...show(lines.slice(lines.length - tail))]
}

function shownWithin(room: DiffRoom, rows: readonly Row[]): DiffLine[] {
  const shown: DiffLine[] = []
  let left = 0
  for (const { op, text } of rows) {
    if (op !== 'skip' && room[op] <= 0) {
      left += 1
      continue
    }
    if (left > 0) shown.push(skip(`${left} more lines`))
    left = 0
    const line = op === 'skip' ? text : visibleText(text, LONGEST_LINE)
    if (op !== 'skip') room[op] -= bytesOf(line) + LINE_BYTES
    shown.push({ op, text: line })
  }
  return left > 0 ? [...shown, skip(`${left} more lines`)] : shown
}

function skip(text: string): Row {
  return { op: 'skip', text }
}
