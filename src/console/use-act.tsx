import type { ComponentChildren } from 'preact'
import { useState } from 'preact/hooks'
import { type Act, ActDialog } from './act-dialog.tsx'
import { useTell } from './session.ts'

/** One act at a time: `begin` asks for it, `dialog` is where it is asked. After it `done` loads anew. */
export function useAct(done: () => void): { begin: (act: Act) => void; dialog: ComponentChildren } {
  const [act, setAct] = useState<Act>()
  const tell = useTell()
  function finish(said: string): void {
    setAct(undefined)
    if (said !== '') tell(said)
    done()
  }
  const dialog = act && <ActDialog act={act} onDone={finish} onClose={() => setAct(undefined)} />
  return { begin: setAct, dialog }
}
