import { useMemo } from 'preact/hooks'
import { visibleText } from '../protocol/visible-text.ts'
import { CopyButton } from './copy-button.tsx'
import { MarkedText } from './marked-text.tsx'
import { readableJcs, stringsOf } from './readable-jcs.ts'
import { Scroll } from './scroll.tsx'

/** How `visibleText` ends where it left something out. */
const CUT = /⟦… \d+ more characters⟧$/

/** Lines of JCS text, each made visible; `isWhole`: none of them was cut. */
export function visibleLines(text: string): { readonly lines: readonly string[]; readonly isWhole: boolean } {
  const lines = readableJcs(text)
    .split('\n')
    .map(line => visibleText(line))
  return { lines, isWhole: !lines.some(line => CUT.test(line)) }
}

/**
 * The exact arguments. Lines have numbers and strings a ground of their own, so that what goes on of a long string does
 * not pass for the next member.
 */
export function ArgumentsView({ text }: { text: string }) {
  const { lines } = useMemo(() => visibleLines(text), [text])
  return (
    <>
      <Scroll kind="code numbered" label="The exact arguments">
        {lines.map((line, index) => (
          // The lines of one text never change places
          <div key={index} class="line">
            <span class="sign" aria-hidden="true">
              {index + 1}
            </span>
            <span class="text">
              {stringsOf(line).map((part, at) => (
                <Part key={at} text={part} isString={at % 2 === 1} />
              ))}
            </span>
          </div>
        ))}
      </Scroll>
      <p class="command quiet">
        Exactly what is digested; only line breaks and spaces outside of strings were added.
        <CopyButton text={text} label="Copy the exact text" />
      </p>
    </>
  )
}

function Part({ text, isString }: { text: string; isString: boolean }) {
  if (!isString) return <MarkedText text={text} />
  return (
    <span class="string">
      <MarkedText text={text} />
    </span>
  )
}
