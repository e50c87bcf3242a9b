/** The page's monitor of ping and visibility (0.1.3). */
export class ContinuousMonitor {
  constructor(config: Record<string, any>);
  recordPing(ms: number): void;
  check(): { exclude: boolean; warn: boolean; reason: string | null; message: string | null };
  shouldExecuteCallback(): boolean;
  setCallbackPending(pending: boolean): void;
  setCallbackResult(result: unknown): void;
  pause(): void;
  tabHiddenAt: number | null;
}
