import type { Box } from './workflow-layout.ts'

/** Width of one letter of the drawing's type, and the most letters a line has, in pixels and letters. */
const LETTER = 7.3
const LONGEST = 34
const HEIGHT = 60

/** What a drawn box says: its name, whose it is, its marks; all of it again, whole, as its title. */
export type BoxText = {
  readonly name: string
  readonly whose: string
  readonly marks: string
  readonly title: string
  /** Drawn as a long diamond. */
  readonly isGate?: boolean
}

/** One box of a drawing; `look` is how it is coloured. */
export function GraphBox({ text, box, look }: { text: BoxText; box: Box; look: string }) {
  const { name, whose, marks, title, isGate = false } = text
  const left = box.x - box.width / 2
  const top = box.y - box.height / 2
  const x = left + (isGate ? 24 : 13)
  return (
    <g class={`step ${look}${isGate ? ' gate' : ''}`}>
      <title>{title}</title>
      {isGate ? (
        <path class="shape" d={gateShape(left, top, box)} />
      ) : (
        <rect class="shape" x={left} y={top} width={box.width} height={box.height} rx="4" />
      )}
      <text class="step-id" x={x} y={top + 20}>
        {shortened(name)}
      </text>
      <text class="step-agent" x={x} y={top + 35}>
        {shortened(whose)}
      </text>
      <text class="step-marks" x={x} y={top + 50}>
        {marks}
      </text>
    </g>
  )
}

/** In pixels, so that the longest of its lines fits. */
export function boxSize({ name, whose, marks, isGate = false }: Omit<BoxText, 'title'>) {
  const letters = Math.max(...[shortened(name), shortened(whose), marks].map(text => text.length))
  return { width: Math.max(120, letters * LETTER + (isGate ? 48 : 26)), height: HEIGHT }
}

function gateShape(left: number, top: number, { width, height }: Box): string {
  const [right, bottom, middle] = [left + width, top + height, top + height / 2]
  return `M${left} ${middle}L${left + 16} ${top}L${right - 16} ${top}L${right} ${middle}L${right - 16} ${bottom}L${left + 16} ${bottom}Z`
}

function shortened(text: string): string {
  return text.length <= LONGEST ? text : `${text.slice(0, LONGEST - 1)}…`
}
