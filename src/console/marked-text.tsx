import { visibleText } from '../protocol/visible-text.ts'

/** How `visibleText` writes a character that would not be seen. */
const MARKED = /⟦(U\+[0-9A-F]{4,6})⟧/g

const NAMES: Readonly<Record<string, string>> = {
  'U+00A0': 'no-break space',
  'U+00AD': 'soft hyphen',
  'U+061C': 'Arabic letter mark',
  'U+200B': 'zero width space',
  'U+200C': 'zero width non-joiner',
  'U+200D': 'zero width joiner',
  'U+200E': 'left-to-right mark',
  'U+200F': 'right-to-left mark',
  'U+202A': 'left-to-right embedding',
  'U+202B': 'right-to-left embedding',
  'U+202C': 'pop directional formatting',
  'U+202D': 'left-to-right override',
  'U+202E': 'right-to-left override',
  'U+2060': 'word joiner',
  'U+2066': 'left-to-right isolate',
  'U+2067': 'right-to-left isolate',
  'U+2068': 'first strong isolate',
  'U+2069': 'pop directional isolate',
  'U+FEFF': 'zero width no-break space',
}

/** Text that the server made visible: what was hidden in it stands as a chip, and is named. */
export function MarkedText({ text }: { text: string }) {
  const parts = text.split(MARKED)
  return (
    <>
      {parts.map((part, index) =>
        index % 2 === 0 ? (
          part
        ) : (
          // The parts of one text never change places
          <mark key={index} class="chip" title={`Hidden character ${part}${named(part)}`}>
            {part}
          </mark>
        ),
      )}
    </>
  )
}

/** Text of a client or a person, of which the server shows every code point as it is. */
export function ForeignText({ text }: { text: string }) {
  return <MarkedText text={visibleText(text)} />
}

function named(part: string): string {
  const name = NAMES[part]
  return name === undefined ? '' : `, ${name}`
}
